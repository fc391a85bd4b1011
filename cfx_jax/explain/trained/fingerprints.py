"""The fingerprint of a classifier: its logits of some pictures, by which it is recognised.

The pictures are drawn at random, so that no image of a user's is stored.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from cfx_jax.compilation import as_pytree, call
from cfx_jax.errors import InputError
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import map_examples

_NUM_PROBES = 8
_TOLERANCE = 1e-2
"""Logits of the probes may differ by this share of the largest: devices round differently, and
logits of networks that were trained anew differ by far more."""


class Fingerprint(NamedTuple):
    """Logits of a classifier of pictures.

    Attributes:
        probes: the pictures (m, h, w, c), 0 to 255.
        logits: of the classifier, (m, k).
    """

    probes: UInt8[np.ndarray, "m h w c"]
    logits: Float[np.ndarray, "m k"]


def take_fingerprint(classifier: Classifier, shape: tuple[int, int, int]) -> Fingerprint:
    """The fingerprint of a classifier.

    Args:
        classifier: one image -> logits.
        shape: of an image, (h, w, c).

    >>> import jax.numpy as jnp
    >>> take_fingerprint(lambda image: jnp.stack([0.5, image.mean()]), (6, 4, 1)).logits.shape
    (8, 2)
    """
    probes = _draw_probes(shape)
    return Fingerprint(probes, _logits_of(classifier, probes))


def check_same_model(fingerprint: Fingerprint, classifier: Classifier, *, what: str) -> None:
    """Checks that a classifier has a fingerprint, but for rounding and what is added to all logits.

    Args:
        fingerprint: of the classifier that is wanted.
        classifier: the one that came, which is to have it.
        what: how the message begins, up to the reason.

    Raises:
        InputError: it answers otherwise.
    """
    wanted, answers = fingerprint.logits, _logits_of(classifier, fingerprint.probes)
    if wanted.shape != answers.shape:
        raise InputError(f"{what}: it has {wanted.shape[1]} classes, this one {answers.shape[1]}")
    difference = np.abs(_centred(answers) - _centred(wanted)).max()
    scale = max(1.0, float(np.abs(_centred(wanted)).max()))
    if not difference <= _TOLERANCE * scale:
        raise InputError(
            f"{what}: logits of the same {len(wanted)} pictures differ by up to {difference:.3g}:"
            " train one on this model with `cfx train`"
        )


def _draw_probes(shape: tuple[int, int, int]) -> UInt8[np.ndarray, "m h w c"]:
    """Pictures of coarse and fine random squares, some faint and some strong."""
    rng = np.random.default_rng(0)
    height, width, channels = shape
    pictures = []
    for number in range(_NUM_PROBES):
        squares = 2 ** (1 + number % 4)  # along each side: 2, 4, 8 or 16
        values = rng.random((squares, squares, channels)) ** (1 + number % 3)
        rows, columns = (np.arange(side) * squares // side for side in (height, width))
        pictures.append(values[rows][:, columns])
    return np.round(255 * np.stack(pictures)).astype(np.uint8)


def _logits_of(
    classifier: Classifier, probes: UInt8[np.ndarray, "m h w c"]
) -> Float[np.ndarray, "m k"]:
    images = probes.astype(np.float32) / 255
    return np.asarray(map_examples(call, as_pytree(classifier), images), np.float32)


def _centred(logits: Float[np.ndarray, "m k"]) -> Float[np.ndarray, "m k"]:
    """Logits with the mean 0: what is added to all of an image's changes no decision."""
    return logits - logits.mean(axis=1, keepdims=True)
