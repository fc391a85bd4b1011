import functools

import numpy as np
import pytest

from cfx_jax.data.worlds.face import (
    ATTRIBUTES,
    Attributes,
    paint_person,
    sample_person,
    sample_photo,
)

RULED = {
    "smiling": {"mouth"},
    "young": {"skin", "hair"},
    "male": {"anatomy", "eyes", "nose", "mouth", "beard", "hair", "makeup"},
    "no_beard": {"beard"},
    "black_hair": {"hair"},
    "bangs": {"hair"},
    "heavy_makeup": {"makeup"},
}
PLAIN = Attributes(smiling=0, young=0, male=0, no_beard=1, black_hair=0, bangs=0, heavy_makeup=0)
PHOTO = sample_photo(np.random.default_rng(0))


def random_numbers(face, aspect):
    return np.random.default_rng([face, aspect])


def person(face, attributes=PLAIN):
    return sample_person(functools.partial(random_numbers, face), attributes, severity=1.0)


def painted(face, drawn):
    frame = drawn.anatomy.frame(48)
    return paint_person(
        np.full((3, 48, 48), 0.5, np.float32),
        drawn,
        functools.partial(random_numbers, face),
        PHOTO,
        frame,
    )


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_turning_an_attribute_changes_only_what_it_rules(attribute):
    changed = set()
    for face in range(20):
        one, other = (
            person(face),
            person(face, PLAIN._replace(**{attribute: 1 - getattr(PLAIN, attribute)})),
        )
        changed |= {part for part in one._fields if getattr(one, part) != getattr(other, part)}
    assert changed == RULED[attribute]


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_every_attribute_is_seen(attribute):
    for face in range(5):
        one = person(face)
        other = person(face, PLAIN._replace(**{attribute: 1 - getattr(PLAIN, attribute)}))
        assert np.abs(painted(face, one) - painted(face, other)).max() > 0.05


def test_a_person_is_drawn_the_same_each_time_and_leaves_the_background_alone():
    scene = painted(3, person(3))
    np.testing.assert_array_equal(scene, painted(3, person(3)))
    assert (
        (scene[:, :4, :4] == 0.5).all() and scene.shape == (3, 48, 48) and np.isfinite(scene).all()
    )
