"""One person: how all parts of a face are drawn at random and painted over each other."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cfx_jax.data.worlds.drawing import Frame
from cfx_jax.data.worlds.face.accessories import (
    Glasses,
    Makeup,
    paint_blush,
    paint_clothes,
    paint_glasses,
    sample_glasses,
    sample_makeup,
)
from cfx_jax.data.worlds.face.anatomy import Anatomy, sample_anatomy
from cfx_jax.data.worlds.face.attributes import Attributes
from cfx_jax.data.worlds.face.beard import Beard, paint_beard, sample_beard
from cfx_jax.data.worlds.face.eyes import (
    Eyes,
    paint_brows,
    paint_eye_shadow,
    paint_eyes,
    sample_eyes,
)
from cfx_jax.data.worlds.face.hair import (
    Hair,
    hair_texture,
    paint_back_hair,
    paint_front_hair,
    sample_hair,
)
from cfx_jax.data.worlds.face.layers import Scene
from cfx_jax.data.worlds.face.mouth import Mouth, paint_mouth, sample_mouth
from cfx_jax.data.worlds.face.nose import Nose, paint_nose, sample_nose
from cfx_jax.data.worlds.face.photo import Photo
from cfx_jax.data.worlds.face.relief import relief
from cfx_jax.data.worlds.face.skin import (
    Skin,
    paint_face,
    paint_neck,
    paint_wrinkles,
    sample_skin,
)

_ANATOMY, _SKIN, _EYES, _NOSE, _MOUTH, _BEARD, _HAIR, _MAKEUP, _GLASSES, _STRANDS = range(10)

# Number of an aspect, from 0 -> its random numbers, always the same.
Streams = Callable[[int], np.random.Generator]


class Person(NamedTuple):
    """All that is seen of one person."""

    anatomy: Anatomy
    skin: Skin
    eyes: Eyes
    nose: Nose
    mouth: Mouth
    beard: Beard
    hair: Hair
    makeup: Makeup
    glasses: Glasses


def sample_person(streams: Streams, attributes: Attributes, *, severity: float) -> Person:
    """Draws a person with the given attributes.

    The random numbers do not depend on the attributes: with one of them turned, only what it rules
    is different.
    """
    has = attributes
    skin = sample_skin(streams(_SKIN), young=has.young)
    return Person(
        anatomy=sample_anatomy(streams(_ANATOMY), male=has.male),
        skin=skin,
        eyes=sample_eyes(streams(_EYES), male=has.male),
        nose=sample_nose(streams(_NOSE), male=has.male),
        mouth=sample_mouth(streams(_MOUTH), smiling=has.smiling, male=has.male, severity=severity),
        beard=sample_beard(streams(_BEARD), no_beard=has.no_beard, male=has.male),
        hair=sample_hair(
            streams(_HAIR), age=skin.age, male=has.male, black_hair=has.black_hair, bangs=has.bangs
        ),
        makeup=sample_makeup(streams(_MAKEUP), heavy_makeup=has.heavy_makeup, male=has.male),
        glasses=sample_glasses(streams(_GLASSES)),
    )


def paint_person(
    scene: Scene, person: Person, streams: Streams, photo: Photo, frame: Frame
) -> Scene:
    """Paints a person over a background, from back to front."""
    anatomy, skin, makeup, hair = person.anatomy, person.skin, person.makeup, person.hair
    smile, side_light = person.mouth.smile, photo.side_light
    strands = hair_texture(streams(_STRANDS), hair, anatomy, frame)
    scene = paint_clothes(scene, photo.clothes, anatomy, frame)
    scene = paint_back_hair(scene, hair, strands, anatomy, frame)
    scene = paint_neck(scene, skin, anatomy, frame)
    scene = paint_face(scene, skin, relief(anatomy, side_light, smile, frame), anatomy, frame)
    scene = paint_blush(scene, makeup, anatomy, frame)
    scene = paint_wrinkles(scene, skin, smile, anatomy, frame)
    scene = paint_eye_shadow(scene, makeup.eye_shadow, makeup.strength, anatomy, frame)
    scene = paint_eyes(scene, person.eyes, makeup.strength, smile, anatomy, frame)
    scene = paint_brows(scene, person.eyes, hair.colour, anatomy, frame)
    scene = paint_nose(scene, person.nose, skin.tone, side_light, anatomy, frame)
    scene = paint_beard(scene, person.beard, hair.colour, strands, anatomy, frame)
    scene = paint_mouth(
        scene, person.mouth, skin.tone, makeup.lipstick, makeup.strength, anatomy, frame
    )
    scene = paint_front_hair(scene, hair, strands, anatomy, frame)
    return paint_glasses(scene, person.glasses, anatomy, frame)
