"""Images labelled with the bin of a classifier's probability, against bins by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cfx_jax.data import ArraySource, training_batches
from cfx_jax.errors import InputError
from trainers.bins import binned_source, source_probabilities

VALUES = np.linspace(0, 1, 41, dtype=np.float32)
IMAGES = np.broadcast_to(VALUES[:, None, None, None], (41, 4, 4, 1)).copy()
SOURCE = ArraySource(IMAGES, np.zeros(41, np.int32), ("healthy", "ill"))


def logit(image: jax.Array) -> jax.Array:
    """The probability of class 1 is that of log-odds 8 (mean - 1 / 2)."""
    return jnp.stack([0.0, 8 * (image.mean() - 0.5)])


def test_probabilities_are_those_of_class_1_in_the_order_asked_for() -> None:
    chosen = np.array([40, 0, 20, 7])
    expected = 1 / (1 + np.exp(-8 * (VALUES[chosen] - 0.5)))
    for size in (1, 3):  # read in one part, and in two
        found = source_probabilities(logit, SOURCE, np.tile(chosen, 10), batch_size=size)
        np.testing.assert_allclose(found, np.tile(expected, 10), rtol=1e-6)


def test_each_image_has_its_bin_as_label() -> None:
    with pytest.warns(
        UserWarning, match=r"2 of 4 bins have fewer than 10 images: 1 \(5\), 2 \(6\)"
    ):
        binned = binned_source(logit, SOURCE, np.arange(40, -1, -1), num_bins=4, batch_size=8)
    # The edges 1/4 and 3/4 are log-odds of -log 3 and log 3, means of 0.5 -+ 0.137.
    expected = np.digitize(VALUES[::-1], [0.5 - np.log(3) / 8, 0.5, 0.5 + np.log(3) / 8])
    assert binned.labels.tolist() == expected.tolist()
    assert (len(binned), binned[3]["label"], binned.class_names) == (
        41,
        3,
        ("bin 0", "bin 1", "bin 2", "bin 3"),
    )
    assert float(binned[3]["image"].mean()) == pytest.approx(VALUES[37])


@pytest.mark.filterwarnings("ignore:.*bins have fewer than 10 images")
def test_balanced_batches_of_it_have_as_many_images_of_each_bin_that_has_any() -> None:
    binned = binned_source(logit, SOURCE, np.r_[0:10, 25:41], num_bins=4, batch_size=8)
    assert sorted(set(binned.labels.tolist())) == [0, 2, 3]
    batches = training_batches(binned, np.arange(len(binned)), batch_size=9, seed=0)
    for _ in range(5):
        assert np.bincount(next(batches)["label"], minlength=4).tolist() == [3, 0, 3, 3]


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="several of the 10 bins, got all 3 images in bin 9"):
        binned_source(logit, SOURCE, np.array([38, 39, 40]), num_bins=10, batch_size=8)
    with pytest.raises(InputError, match="expected two logits, whose class 1 is explained, got 3"):
        source_probabilities(lambda image: jnp.zeros(3), SOURCE, np.arange(3), batch_size=8)
    with pytest.raises(InputError, match=r"indices: expected positions in 0\.\.40, got 41\.\.41"):
        source_probabilities(logit, SOURCE, np.array([41]), batch_size=8)
