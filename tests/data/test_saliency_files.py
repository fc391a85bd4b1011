import pickle

import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.data import (
    ArraySource,
    WithSaliency,
    read_saliency,
    training_batches,
    write_saliency,
    write_saliency_of,
)
from cfx_jax.errors import InputError

RNG = np.random.default_rng(0)
VOLUME = RNG.random((3, 6, 5, 1), np.float32)
SALIENCY = RNG.random((3, 6, 5), np.float32)


class Volumes:
    """Five volumes in memory, which count how often they are asked for."""

    class_names = ("a", "b")
    labels = np.array([0, 1, 0, 1, 0])

    def __init__(self):
        self.volumes = np.random.default_rng(1).random((5, 2, 4, 4, 1), np.float32)

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"image": self.volumes[index], "label": int(self.labels[index]), "grade": index}


def doubled(volume):
    return 2 * volume[..., 0]


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_what_is_written_is_read(tmp_path, array):
    file = write_saliency(tmp_path / "maps", 7, array(VOLUME), array(SALIENCY), origin="f")
    assert file == tmp_path / "maps/000007.npz" and list((tmp_path / "maps").iterdir()) == [file]
    saliency = read_saliency(tmp_path / "maps", 7, VOLUME, origin="f")
    assert saliency.dtype == np.float32
    np.testing.assert_array_equal(saliency, SALIENCY)


def test_maps_of_other_scans_slices_sizes_or_origins_are_refused(tmp_path):
    write_saliency(tmp_path, 0, VOLUME, SALIENCY, origin="f")
    changed = VOLUME.copy()
    changed[1, 2, 3] += 1e-3
    for volume in (changed, VOLUME[::-1], VOLUME[:2], VOLUME.reshape(3, 5, 6, 1)):
        with pytest.raises(
            InputError,
            match=r"000000.npz': expected the map of this scan 0, .*, of origin 'f'; it is another",
        ):
            read_saliency(tmp_path, 0, volume, origin="f")
    with pytest.raises(
        InputError,
        match=r"of origin 'g'; it is another one's: give the folder of this source, or remove it",
    ):
        read_saliency(tmp_path, 0, VOLUME, origin="g")


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(
        InputError,
        match=r"the map of scan 3 in '.*000003.npz', which does not exist: run write_saliency_of",
    ):
        read_saliency(tmp_path, 3, VOLUME, origin="f")
    content = bytearray(write_saliency(tmp_path, 3, VOLUME, SALIENCY, origin="f").read_bytes())
    changed = bytes(content[:200] + b"\x55" + content[201:])
    for damaged in (b"", content[:100], content[:-40], changed, b"no archive"):
        (tmp_path / "000003.npz").write_bytes(damaged)
        with pytest.raises(
            InputError, match=r"000003.npz' is damaged \(.*\): remove it and compute it again"
        ):
            read_saliency(tmp_path, 3, VOLUME, origin="f")


@pytest.mark.parametrize(
    ("volume", "saliency", "message"),
    [
        (
            VOLUME,
            SALIENCY[:2],
            r"expected a map \(s, h, w\) of the volume \(s, h, w, c\), got shapes \(2, 6, 5\) and"
            r" \(3, 6",
        ),
        (
            VOLUME,
            SALIENCY[..., None],
            r"got shapes \(3, 6, 5, 1\) and \(3, 6, 5, 1\): give one map for the slices",
        ),
        (VOLUME[0], SALIENCY[0], r"got shapes \(6, 5\) and \(6, 5, 1\)"),
        (
            VOLUME,
            np.full((3, 6, 5), np.nan),
            "expected finite values, got NaN or infinity for scan 0: look for the cause",
        ),
    ],
)
def test_maps_that_cannot_be_used_are_not_written(tmp_path, volume, saliency, message):
    with pytest.raises(InputError, match=message):
        write_saliency(tmp_path, 0, volume, saliency, origin="f")
    assert not list(tmp_path.iterdir())


def test_stopped_run_keeps_what_it_has_finished_and_goes_on(tmp_path):
    source, asked = Volumes(), []

    def stopping(volume):
        asked.append(volume)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return doubled(volume)

    with pytest.raises(KeyboardInterrupt):
        write_saliency_of(source, np.arange(5), tmp_path, stopping, origin="f", progress=False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["000000.npz", "000001.npz"]
    assert (
        write_saliency_of(source, np.arange(5), tmp_path, doubled, origin="f", progress=False) == 3
    )
    assert write_saliency_of(source, np.arange(5), tmp_path, None, origin="f", progress=False) == 0
    for index in range(5):
        saliency = read_saliency(tmp_path, index, source.volumes[index], origin="f")
        np.testing.assert_array_equal(saliency, doubled(source.volumes[index]))


def test_files_of_another_origin_stop_the_run(tmp_path):
    write_saliency_of(Volumes(), np.array([2]), tmp_path, doubled, origin="f", progress=False)
    with pytest.raises(
        InputError, match=r"000002.npz': expected the map of this scan 2, .*, of origin 'g'"
    ):
        write_saliency_of(Volumes(), np.arange(5), tmp_path, doubled, origin="g", progress=False)
    with pytest.raises(InputError, match=r"indices: expected positions in 0..4, got 5..5"):
        write_saliency_of(Volumes(), np.array([5]), tmp_path, doubled, origin="f", progress=False)


def test_items_have_their_maps_beside_them(tmp_path):
    source = Volumes()
    write_saliency_of(source, np.arange(5), tmp_path, doubled, origin="f", progress=False)
    both = pickle.loads(pickle.dumps(WithSaliency(source, tmp_path, origin="f")))
    assert (
        len(both) == 5
        and both.class_names == ("a", "b")
        and both.labels.tolist() == [0, 1, 0, 1, 0]
    )
    for index, item in enumerate(both):
        assert set(item) == {"image", "label", "grade", "saliency"} and item["grade"] == index
        np.testing.assert_array_equal(item["saliency"], 2 * item["image"])
    assert index == 4 and both[-1]["grade"] == 4
    with pytest.raises(IndexError):
        both[5]


def test_source_with_maps_feeds_the_pipeline(tmp_path):
    source = Volumes()
    write_saliency_of(source, np.arange(5), tmp_path, doubled, origin="f", progress=False)
    both = WithSaliency(source, tmp_path, origin="f")
    batch = next(training_batches(both, np.arange(5), batch_size=4, seed=0, fields=("saliency",)))
    assert batch["saliency"].shape == batch["image"].shape == (4, 2, 4, 4, 1)
    np.testing.assert_array_equal(batch["saliency"], 2 * batch["image"])


def test_map_of_an_item_that_has_none_is_asked_for(tmp_path):
    images = ArraySource(np.zeros((2, 3, 6, 5), np.float32), np.array([0, 1]), ("a", "b"))
    assert WithSaliency(images, tmp_path, origin="f").labels.tolist() == [0, 1]
    with pytest.raises(
        InputError, match=r"expected the map of scan 1 in '.*', which does not exist"
    ):
        WithSaliency(images, tmp_path, origin="f")[1]
