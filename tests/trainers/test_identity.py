from functools import partial

import numpy as np
import pytest
from flax import nnx
from toy_training import net, source

from cfx_jax.data import Transform, compose, random_crop, random_flip
from cfx_jax.models import per_image
from trainers.identity import describe_classifier, describe_data


def _described(
    indices: object = range(10),
    labels: object = (0, 1),
    augment: object = None,
    start: object = None,
) -> dict[str, str]:
    return describe_data(source(), np.array(indices), {"label": np.array(labels)}, augment, start)  # type: ignore[arg-type]


def test_the_same_data_has_the_same_description() -> None:
    assert _described() == _described()


def test_every_change_of_the_data_shows() -> None:
    start, other = net(nnx.Rngs(0)), net(nnx.Rngs(1))
    base = _described(start=start)
    for changed in (
        _described(indices=range(1, 11), start=start),
        _described(labels=(1, 0), start=start),
        _described(start=other),
        _described(),
        describe_data(source(100), np.arange(10), {"label": np.array([0, 1])}, None, start),
        _described(augment=_mirror, start=start),
    ):
        assert changed != base


def test_description_is_made_of_short_plain_text() -> None:
    described = _described(augment=_mirror)
    assert described["source"] == "ArraySource of 256"
    assert described["start"] == "random" and _described()["augment"] == "none"
    assert all(len(text) < 40 for text in described.values())


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
    texts = [_described(augment=augment)["augment"] for augment in (one, same, other)]
    assert texts[0] == texts[1] != texts[2]


def test_partial_functions_and_objects_are_told_apart() -> None:
    first, second = (_described(augment=partial(_shift, by=by))["augment"] for by in (1, 2))
    assert (
        first
        != second
        != _described(augment=_Brighter())["augment"]
        == _described(augment=_Brighter())["augment"]
    )


def _mirror(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    del rng
    return image[:, ::-1]


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
