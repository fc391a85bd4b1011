from functools import partial

import numpy as np
import pytest
from flax import nnx
from toy_training import net

from cfx_jax.data import Transform, compose, random_crop, random_flip
from cfx_jax.models import FindingClassifier, ResNet, per_image
from trainers.shared.fingerprints import (
    describe_augmentation,
    describe_classifier,
    describe_encoder,
    describe_start,
)


def test_starts_are_told_apart_by_their_weights() -> None:
    first, same, other = (describe_start(net(nnx.Rngs(seed))) for seed in (0, 0, 1))
    assert first == same != other
    assert describe_start(None) == "random" and describe_augmentation(None) == "none"


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (
            compose(random_crop(padding=4)),
            compose(random_crop(padding=4)),
            compose(random_crop(padding=5)),
        ),
        (random_flip("horizontal"), random_flip("horizontal"), random_flip("vertical")),
    ],
)
def test_augmentations_are_told_apart_by_their_ranges(
    one: Transform, same: Transform, other: Transform
) -> None:
    texts = [describe_augmentation(augment) for augment in (one, same, other)]
    assert texts[0] == texts[1] != texts[2]


def test_partial_functions_and_objects_are_told_apart() -> None:
    first, second = (describe_augmentation(partial(_shift, by=by)) for by in (1, 2))
    one, same = (describe_augmentation(_Brighter()) for _ in range(2))
    assert first != second != one == same


def _shift(image: np.ndarray, rng: np.random.Generator, *, by: int) -> np.ndarray:
    del rng
    return np.roll(image, by, axis=0)


class _Brighter:
    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        del rng
        return np.minimum(image + 0.1, 1)


def test_classifiers_are_told_apart_by_weights_or_else_by_logits() -> None:
    images = np.random.default_rng(0).uniform(size=(3, 4, 4, 1)).astype(np.float32)

    def by(scale: float) -> str:
        return describe_classifier(lambda image: scale * image[:2, 0, 0], images)

    assert by(1.0) == by(1.0) != by(2.0)
    first, same, second = (
        describe_classifier(per_image(net(nnx.Rngs(seed))), images) for seed in (0, 0, 1)
    )
    assert first == same != second


def test_an_encoder_is_told_by_its_backbone() -> None:
    sizes = {"block": "basic", "stage_sizes": (1,), "widths": (4,), "num_classes": 2}
    backbone, other = (ResNet(**sizes, rngs=nnx.Rngs(seed)) for seed in (0, 1))
    first, same, second = (
        describe_encoder(FindingClassifier(network, rngs=nnx.Rngs(seed)))
        for network, seed in ((backbone, 2), (backbone, 3), (other, 2))
    )
    assert first == same != second
    assert describe_encoder(backbone) != describe_encoder(other)
