"""A synthetic world of portraits of faces, with the attributes that studies of CelebA explain.

Every picture is a pure function of (seed, index) and comes with what real data cannot give: its
generative factors and its exact counterfactual, the same face with one attribute turned. It stands
in for CelebA in the studies of Singla et al. (ICLR 2020). Each aspect of a picture has its own
random stream, so face i stays the same whatever the severity or prevalence.

A smile is of any strength and not always clear: some mouths are open in speech and show teeth,
corners point up or down at rest, beards hide a mouth, age has the folds of a smile.

It is meant for demonstrations and tests. Figures obtained on it say nothing about photographs of
people: say "synthetic" beside them.
"""

import functools
from typing import Any

import numpy as np

from cfx_jax.data.worlds.face import (
    ATTRIBUTES,
    CLASS_NAMES,
    INDEPENDENT,
    Person,
    Photo,
    background,
    camera_noise,
    paint_person,
    photograph,
    sample_attributes,
    sample_person,
    sample_photo,
)
from cfx_jax.data.worlds.world import (
    DrawnSource,
    check_picture,
    check_severity,
    check_share,
    label_of,
    pair_of,
    stream,
)
from cfx_jax.errors import InputError

_SIZE = 64
_ATTRIBUTE = "smiling"
_PREVALENCE = 0.5

# a pixel is changed by an attribute where a colour differs by more than this: 5 of 255 levels
NOTICEABLE = 0.02

# _PERSON is the first of a person's streams.
_ATTRIBUTES, _PHOTO, _BACKGROUND, _NOISE, _PERSON = range(1, 6)


def draw(
    seed: int,
    index: int,
    *,
    size: int = _SIZE,
    attribute: str = _ATTRIBUTE,
    prevalence: float = _PREVALENCE,
    severity: float = 1.0,
    confounder: float | None = None,
) -> dict[str, Any]:
    """Draws one picture and its exact counterfactual.

    Args:
        seed: the world; pictures of different seeds are independent.
        index: the picture's number, 0 or more.
        size: side in pixels, at least 32.
        attribute: the one that the label names and the counterfactual turns: "smiling", "young",
            "male", "no_beard", "black_hair", "bangs" or "heavy_makeup".
        prevalence: share of pictures with the attribute in [0, 1].
        severity: above 0; factor on the smiles' intensity. At 1, ``resnet_small`` after 300 steps
            of 64 of 2,000 pictures of 64 pixels (Adam, rate 0.003 with a cosine down to 0) told 88
            per cent of 600 others correctly, with an area under the ROC curve of 0.947: 89 of those
            that do not smile (85 where the mouth is open), 62 of the quarter with the faintest
            smiles and 92 to 97 of the other smiles.
        confounder: strength in [0, 1] of the bond between the attribute and gender: the share
            ``(1 + confounder) / 2`` of the faces with the attribute are men's, and still half of
            those without it. At 1 every smiling face is a man's, as where Singla et al. (section
            4.4) train their biased classifier. None is no bond, as 0.

    Returns:
        A dict of

        - ``image`` float32 (size, size, 3) in [0, 1];
        - ``label`` int, 1 where the face has the attribute;
        - ``attributes`` int (7,), 1 where it has each of ``ATTRIBUTES``;
        - ``counterfactual``, the same photograph of the same face with the attribute turned;
        - ``counterfactual_attributes``;
        - ``lesion_mask`` bool (size, size), the pixels that having the attribute changes by more
          than 0.02 in a colour, empty for a face without it;
        - ``counterfactual_lesion_mask``, the same of the counterfactual;
        - ``factors``, a dict of named numbers, among them ``mouth_smile``, the smile's intensity,
          and ``skin_age`` in years.

        The pair is equal bit for bit outside the union of the two masks.

        All other attributes are independent of the label, but for gender's bond with "no_beard" and
        "heavy_makeup": 45 in 100 men and no woman have a beard, 55 in 100 women and no man heavy
        make-up. Where one of these two is the ``attribute``, gender follows from it by Bayes' rule.
        Turning an attribute leaves the others alone, turning "male" changes beard, make-up and the
        length of the hair with it, as gender's consequences.

    Raises:
        InputError: an argument is out of its range, the attribute's name is unknown, or a
            confounder is asked for an attribute that is bound to gender anyway.
    """
    _check(seed, index, size, attribute, prevalence, severity, confounder)
    label = label_of(seed, index, prevalence=prevalence)
    attributes, turned_attributes = sample_attributes(
        stream(seed, index, _ATTRIBUTES), attribute, label, confounder=confounder or 0.0
    )
    streams = functools.partial(_person_stream, seed, index)
    person, turned = (
        sample_person(streams, shown, severity=severity)
        for shown in (attributes, turned_attributes)
    )
    photo = sample_photo(stream(seed, index, _PHOTO))
    frame = person.anatomy.frame(size)
    behind = background(stream(seed, index, _BACKGROUND), photo, frame)
    noise = camera_noise(stream(seed, index, _NOISE), photo, frame)
    image, counterfactual = (
        photograph(paint_person(behind, subject, streams, photo, frame), photo, noise, frame)
        for subject in (person, turned)
    )
    without, having = (counterfactual, image) if label else (image, counterfactual)
    changed = (np.abs(having - without) > NOTICEABLE).any(-1)
    return {
        **pair_of(label, without, np.where(changed[..., None], having, without), changed),
        "attributes": np.array(attributes),
        "counterfactual_attributes": np.array(turned_attributes),
        "factors": _factors(person, photo),
    }


class SyntheticFaces(DrawnSource):
    """The first ``num_images`` pictures of one synthetic world of faces, drawn when asked for.

    ``source[i]`` is ``draw(seed, i, ...)`` with the options given here. For training, draw once
    with ``load_arrays`` and train from an ``ArraySource``.

    Args:
        num_images: how many, at least 1.
        size: side in pixels, at least 32.
        seed: the world.
        attribute: the one that the label names; see :func:`draw`.
        prevalence: share of pictures with the attribute in [0, 1].
        severity: above 0; see :func:`draw`.
        confounder: strength in [0, 1] of the bond between the attribute and gender, or None; see
            :func:`draw`.

    Attributes:
        attribute_names: the names of all attributes.

    Raises:
        InputError: an argument is out of its range, or of no use with the attribute; see
            :func:`draw`.

    Example:
        >>> source = SyntheticFaces(10, size=32, attribute="smiling")
        >>> source.class_names, source[0]["counterfactual"].shape
        (('not smiling', 'smiling'), (32, 32, 3))
    """

    attribute_names = ATTRIBUTES

    def __init__(
        self,
        num_images: int,
        *,
        size: int = _SIZE,
        seed: int = 0,
        attribute: str = _ATTRIBUTE,
        prevalence: float = _PREVALENCE,
        severity: float = 1.0,
        confounder: float | None = None,
    ) -> None:
        _check(seed, 0, size, attribute, prevalence, severity, confounder)
        self.class_names = CLASS_NAMES[attribute]
        options = {"size": size, "attribute": attribute, "severity": severity}
        super().__init__(num_images, draw, seed, prevalence, confounder=confounder, **options)


def _check(
    seed: int,
    index: int,
    size: int,
    attribute: str,
    prevalence: float,
    severity: float,
    confounder: float | None,
) -> None:
    check_picture(seed, index, size)
    if not isinstance(attribute, str) or attribute not in ATTRIBUTES:
        raise InputError(
            f"attribute: expected one of {', '.join(ATTRIBUTES)}, got {attribute!r}: choose one of"
            " them"
        )
    check_share("prevalence", prevalence, 0.5)
    check_severity(severity)
    if confounder is None:
        return
    check_share("confounder", confounder, 1.0)
    if attribute not in INDEPENDENT:
        raise InputError(
            f"confounder: expected None with attribute {attribute!r}, which is bound to gender"
            f" anyway, got {confounder}: leave it out, or choose one of {', '.join(INDEPENDENT)}"
        )


def _person_stream(seed: int, index: int, aspect: int) -> np.random.Generator:
    return stream(seed, index, _PERSON + aspect)


def _factors(person: Person, photo: Photo) -> dict[str, float | int]:
    """The numbers of all parts by name, such as ``hair_long``; colours and places are left out."""
    parts = {**person._asdict(), "photo": photo}
    return {
        f"{part}_{name}": value
        for part, values in parts.items()
        for name, value in values._asdict().items()
        if isinstance(value, (int, float))
    }
