import ct_layouts as layouts
import nibabel
import numpy as np
import pytest
from set_layouts import SHAPE

from cfx_jax.data import read_ct_scan, to_native_grid
from cfx_jax.data.hounsfield import BRAIN, LUNG
from cfx_jax.data.sets import IST3, MosMed, read_mosmed
from cfx_jax.errors import InputError

PLACES = [2, 4, 6, 8, 10]  # of 14 slices, see the rule: m = 7, k = 3, d = 2


@pytest.mark.parametrize(("name", "window"), [("mosmed", LUNG), ("ist3", BRAIN)])
def test_images_are_the_prepared_scans(folders, opened, name, window):
    source = opened(name)
    raw = folders(name)[0]
    files = (
        [each.scan for each in read_mosmed(raw) if each.grade != 1] if name == "mosmed" else None
    )
    files = files or [raw / f"{each}.nii.gz" for each in source.names]
    for index, file in enumerate(files):
        prepared = read_ct_scan(file, window=window, shape=SHAPE)
        np.testing.assert_allclose(
            source[index]["image"][..., 0], prepared.slices, atol=0.5 / 255 + 1e-6
        )
        assert source.places(index).tolist() == PLACES
        assert tuple(source.native_shapes[index]) == prepared.native_shape == layouts.SHAPE[::-1]


def test_masks_are_placed_as_their_scans_though_their_headers_differ(opened):
    source = opened("mosmed", part="masked")
    for index, name in enumerate(source.patients):
        native = source.native_marks(index)
        np.testing.assert_array_equal(native, layouts.ct_marks(str(name)).T)
        assert native.dtype == np.uint8 and set(np.unique(native)) == {0, 1}
        np.testing.assert_array_equal(source[index]["lesion_mask"], source.marks(index) > 0)


def test_maps_return_to_the_grid_of_the_masks(opened):
    source = opened("mosmed", part="masked")
    native = to_native_grid(source[0]["image"][..., 0], source.places(0), source.native_shapes[0])
    assert native.shape == source.native_marks(0).shape
    assert not native[:2].any() and native[2].any() and native[10].any() and not native[11:].any()


def test_atlases_number_the_territories(opened):
    source = opened("ist3")
    np.testing.assert_array_equal(
        source.native_marks(2), layouts.ct_marks("p2/admission.nii.gz", highest=6).T
    )
    assert source.marks(2).shape == SHAPE and set(np.unique(source.marks(2))) == set(range(7))
    with pytest.raises(
        InputError,
        match=r"index: expected a scan in which something was marked, got 0: 'p1/admission'",
    ):
        source.native_marks(0)


def test_scans_turned_otherwise_give_the_same_items(opened, tmp_path):
    def turned(path, values, affine=layouts.AFFINE):
        path.parent.mkdir(parents=True, exist_ok=True)
        start = nibabel.orientations.io_orientation(layouts.AFFINE)
        to = nibabel.orientations.ornt_transform(start, nibabel.orientations.axcodes2ornt("SAR"))
        image = nibabel.Nifti1Image(values, layouts.AFFINE).as_reoriented(to)
        marks = nibabel.Nifti1Image(np.asarray(image.dataobj), affine)
        nibabel.save(image if affine is layouts.AFFINE else marks, path)

    raw = layouts.write_mosmed(tmp_path / "raw", save=turned)
    for part in ("labelled", "masked"):
        source, straight = (
            MosMed(raw, tmp_path / "work", part=part, shape=SHAPE, progress=False),
            opened("mosmed", part=part),
        )
        for one, other in zip(source, straight, strict=True):
            assert {key: np.array_equal(one[key], other[key]) for key in one} == dict.fromkeys(
                other, True
            )


def test_wrong_arguments_are_explained(tmp_path):
    with pytest.raises(InputError, match="part: expected one of 'labelled', 'masked', got 'test'"):
        MosMed(None, tmp_path, part="test")
    for kind in (MosMed, IST3):
        for shape in (128, (128, 128), [11, 128, 128]):
            with pytest.raises(
                InputError,
                match=r"shape: expected numbers of slices, rows and columns, got .*: give e.g.",
            ):
                kind(None, tmp_path, shape=shape)
        with pytest.raises(InputError, match="shape: expected an integer of at least 1, got 0"):
            kind(None, tmp_path, shape=(11, 0, 128))
    with pytest.raises(
        InputError,
        match=r"expected the set in '.*11x500x400px.*ist3_scans.*1.0.0', which does not exist",
    ):
        IST3(None, tmp_path)
    assert not list(tmp_path.iterdir())
