"""Whether the images are what a classifier takes: float images in [0, 1]."""

from collections.abc import Iterator

import jax
import numpy as np

from cfx_jax.checks import check_images
from cfx_jax.diagnosis.finding import Case, Finding, findings_of, indices, share


def diagnose_images(case: Case) -> Iterator[Finding]:
    """Yields findings about images and targets, without the classifier."""
    if case.images.dtype.kind not in "fiub":
        message = (
            f"images: expected floats (n, h, w, c), got dtype {case.images.dtype}: stack images of"
            " one size"
        )
        yield Finding("images", "error", message)
        return
    # Traced, the check sees shape and dtype only; what is wrong with the values is told apart
    # below.
    unusable = findings_of("images", jax.eval_shape, check_images, case.images)
    yield from unusable
    if unusable:
        return
    if case.targets is not None and case.targets.dtype.kind not in "iu":
        message = f"targets: expected class indices (integers), got dtype {case.targets.dtype}"
        yield Finding("targets", "error", message)
    elif case.targets is not None and case.targets.shape != case.images.shape[:1]:
        message = (
            f"targets: expected one for each of {len(case.images)} images, got shape"
            f" {case.targets.shape}"
        )
        yield Finding("targets", "error", message)
    bad = ~np.isfinite(case.images).all(axis=(1, 2, 3))
    if bad.any():
        message = (
            f"images: expected finite values, got NaN or infinity on {share(bad)}: remove or repair"
            " these pixels"
        )
        yield Finding("not_finite", "error", message, indices(bad))
    else:
        yield from _diagnose_range(case)


def _diagnose_range(case: Case) -> Iterator[Finding]:
    low, high = case.images.min(), case.images.max()
    outside: np.ndarray = np.any((case.images < 0) | (case.images > 1), axis=(1, 2, 3))
    if outside.any():
        message = (
            f"images: expected values in [0, 1], got [{low:g}, {high:g}] on {share(outside)}:"
            f" {_advice(low, high)}"
        )
        yield Finding("range", "error", message, indices(outside))
    elif 0 < high <= 1 / 255:
        message = (
            f"images: expected values in [0, 1], got none above {high:g}: were they divided by 255"
            " twice?"
        )
        yield Finding("range", "warning", message)


def _advice(low: float, high: float) -> str:
    if low < 0:
        return "if they are standardised, move the normalisation into the model"
    return "divide by 255" if 2 < high <= 255 else "rescale before the call"
