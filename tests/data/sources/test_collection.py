import shutil

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from cfx_jax.data import open_images, read_dicom
from cfx_jax.errors import InputError

RNG = np.random.default_rng(0)
VOXELS = RNG.integers(-100, 300, (6, 5, 4)).astype(np.float32)
VOXELS[..., 2] = 7  # an empty slice


def save_volume(path, voxels=VOXELS):
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1.0, 1, 4, 1])), path)
    return path


def save_dicom(path, stored, **elements):
    """A grey file of 12 bits; stored (h, w) or frames (s, h, w)."""
    dataset = pydicom.Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    if stored.ndim == 3:
        dataset.NumberOfFrames = len(stored)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.PixelData = stored.astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)
    return path


class TestVolumes:
    def test_slices_are_images_and_empty_ones_are_counted(self, tmp_path):
        source = open_images(save_volume(tmp_path / "brain.nii.gz"))
        assert source.names == tuple(f"brain.nii.gz slice {number}" for number in (0, 1, 3))
        assert source.shape == (5, 6, 1) and source.groups.tolist() == ["brain.nii.gz"] * 3
        assert "1 volumes give 3 slices, from the feet to the head; 1 empty" in source.notes[0]
        scaled = (VOXELS - VOXELS.min()) / (VOXELS.max() - VOXELS.min())
        expected = scaled[::-1, ::-1, 3].T  # rows lead to the back, columns to the left
        np.testing.assert_allclose(source[2]["image"][..., 0], expected, atol=1e-6)

    @pytest.mark.parametrize(
        ("window", "low", "high"), [((50, 100), 0, 100), ("values", None, None)]
    )
    def test_a_window_overrides_the_range_of_the_volume(self, tmp_path, window, low, high):
        source = open_images(save_volume(tmp_path / "a.nii"), window=window)
        values = VOXELS[::-1, ::-1, 0].T
        low, high = (values.min(), values.max()) if low is None else (low, high)
        expected = ((values - low) / (high - low)).clip(0, 1)
        np.testing.assert_allclose(source[0]["image"][..., 0], expected, atol=1e-6)

    @pytest.mark.parametrize("window", ["file", (50, 100), "values"])
    def test_a_change_of_slices_is_added_to_the_volume_in_its_own_values(self, tmp_path, window):
        path = save_volume(tmp_path / "a.nii")
        source = open_images(path, window=window)
        change = np.full((5, 6), 0.25, np.float32)
        written = source.write_volume(tmp_path / "b.nii.gz", {1: change}, add=True)
        before, after = nibabel.load(path), nibabel.load(written)
        difference = after.get_fdata() - before.get_fdata()
        one = VOXELS[..., 1]
        width = {"file": np.ptp(VOXELS), "values": np.ptp(one), (50, 100): 100}[window]
        np.testing.assert_allclose(difference[..., 1], 0.25 * width, rtol=1e-5)
        assert not difference[..., [0, 2, 3]].any() and after.shape == before.shape
        np.testing.assert_array_equal(after.affine, before.affine)

    def test_a_map_lies_on_its_voxels(self, tmp_path):
        """A map that is the image itself, written back, is the volume up to its scale."""
        path = save_volume(tmp_path / "a.nii")
        source = open_images(path)
        maps = {place: source[place]["image"][..., 0] for place in range(len(source))}
        written = nibabel.load(source.write_volume(tmp_path / "b.nii", maps)).get_fdata()
        scaled = (VOXELS - VOXELS.min()) / np.ptp(VOXELS)
        np.testing.assert_allclose(written[..., [0, 1, 3]], scaled[..., [0, 1, 3]], atol=1e-6)
        assert not written[..., 2].any()

    def test_volumes_of_a_zip_are_read_and_written_too(self, tmp_path):
        (tmp_path / "in").mkdir()
        for name in ("a.nii.gz", "b.nii"):
            save_volume(tmp_path / "in" / name)
        source = open_images(shutil.make_archive(str(tmp_path / "x"), "zip", tmp_path / "in"))
        assert {name: places.tolist() for name, places in source.volumes.items()} == {
            "a.nii.gz": [0, 1, 2],
            "b.nii": [3, 4, 5],
        }
        np.testing.assert_array_equal(source[0]["image"], source[3]["image"])
        written = source.write_volume(tmp_path / "c.nii", {4: np.ones((5, 6))})
        assert nibabel.load(written).get_fdata()[..., 1].all()

    def test_a_mask_of_a_volume_is_a_volume(self, tmp_path):
        save_volume(tmp_path / "a.nii")
        save_volume(tmp_path / "m.nii", (VOXELS > 250).astype(np.float32))
        save_volume(tmp_path / "n.nii", VOXELS[..., :3])
        (tmp_path / "t.csv").write_text("path,mask\na.nii,m.nii\n")
        source = open_images(f"csv:{tmp_path / 't.csv'}")
        np.testing.assert_array_equal(source[2]["mask"], VOXELS[::-1, ::-1, 3].T > 250)
        save_volume(tmp_path / "m.nii", np.zeros_like(VOXELS))  # of a healthy person
        assert not open_images(f"csv:{tmp_path / 't.csv'}")[2]["mask"].any()
        (tmp_path / "t.csv").write_text("path,mask\na.nii,n.nii\n")
        with pytest.raises(InputError, match=r"a mask of 4 x 5 x 6, .* got 3 x 5 x 6 in 'n.nii'"):
            open_images(f"csv:{tmp_path / 't.csv'}")

    def test_what_is_no_volume_is_refused(self, tmp_path):
        save_volume(tmp_path / "a.nii")
        save_volume(tmp_path / "b.nii")
        source = open_images(tmp_path)
        for slices in ({}, {0: np.ones((5, 6)), 3: np.ones((5, 6))}):
            with pytest.raises(InputError, match="slices of one volume"):
                source.write_volume(tmp_path / "c.nii", slices)

    def test_a_volume_without_content_and_one_of_several_are_skipped(self, tmp_path):
        save_volume(tmp_path / "a.nii")
        save_volume(tmp_path / "b.nii", np.zeros((3, 3, 3), np.float32))
        save_volume(tmp_path / "c.nii", np.stack([VOXELS, VOXELS], -1))
        source = open_images(tmp_path)
        assert len(source) == 3 and source.skipped == (
            "b.nii: all its slices are empty",
            "c.nii: expected one volume of three axes, got shape (6, 5, 4, 2): write each volume to"
            " a file",
        )


class TestDicom:
    STORED = RNG.integers(0, 4096, (3, 6, 7))

    def test_files_without_a_suffix_frames_and_folders(self, tmp_path):
        window = {"WindowCenter": 2048, "WindowWidth": 4096}
        (tmp_path / "in").mkdir()
        save_dicom(tmp_path / "in/IM2", self.STORED[0], **window)
        save_dicom(tmp_path / "in/IM10.dcm", self.STORED, **window)
        (tmp_path / "in/DICOMDIR").write_bytes(bytes(128) + b"DICM")
        for path in (
            tmp_path / "in",
            shutil.make_archive(str(tmp_path / "x"), "zip", tmp_path / "in"),
        ):
            source = open_images(path)
            assert source.names == ("IM2", *(f"IM10.dcm frame {number}" for number in range(3)))
            assert source.groups.tolist() == ["IM2", *["IM10.dcm"] * 3]
            assert source.shape == (6, 7, 1) and not source.skipped
            for place, frame in ((0, 0), (1, 0), (3, 2)):
                expected = read_dicom(tmp_path / "in/IM10.dcm", frame=frame)
                np.testing.assert_array_equal(source[place]["image"], expected)

    def test_a_file_without_a_window_is_skipped_until_one_is_given(self, tmp_path):
        save_dicom(tmp_path / "1.dcm", self.STORED[0])
        with pytest.raises(InputError, match=r"1.dcm: expected a window in a file of 12 bits"):
            open_images(tmp_path)
        source = open_images(tmp_path, window=(2000, 1000))
        expected = ((self.STORED[0] - 1500) / 1000).clip(0, 1)
        np.testing.assert_allclose(source[0]["image"][..., 0], expected, atol=1e-6)

    def test_a_damaged_file_is_skipped(self, tmp_path):
        save_dicom(tmp_path / "1.dcm", self.STORED[0], WindowCenter=9, WindowWidth=9)
        (tmp_path / "2.dcm").write_bytes(bytes(128) + b"DICM" + b"\2\0\0\0")
        (tmp_path / "3.dcm").write_bytes(b"no DICOM")
        source = open_images(tmp_path)
        assert len(source) == 1 and [line[:7] for line in source.skipped] == ["2.dcm: ", "3.dcm: "]
        assert not any(str(tmp_path) in line for line in source.skipped)


def test_places_outside_are_refused_and_the_end_ends_a_loop(tmp_path):
    source = open_images(save_volume(tmp_path / "a.nii"))
    assert len(list(source)) == 3
    np.testing.assert_array_equal(source[-1]["image"], source[2]["image"])
    with pytest.raises(IndexError, match=r"in 0\.\.2, got 3"):
        source[3]
