"""What the validation of ``trainers.progressive`` says: how far the explanations of images for all
bins reach.
"""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.arrays import AnyArray
from cfx_jax.counterfactuals.progressive import Exaggerator, progressive
from cfx_jax.metrics import decision_flips, psnr_of_mse, rank_correlation
from cfx_jax.objectives import Classifier

_FINEST_PSNR = 60.0
"""Decibels; images of 8 bits tell no more."""


def sweep(
    shared: tuple[Exaggerator, Classifier], image: Float[Array, "h w c"]
) -> dict[str, AnyArray]:
    """What ``summary`` needs of the explanation of one image.

    Args:
        shared: the explainer and the classifier of two logits, for ``parallel.map_examples``.
        image: values in [0, 1].

    Returns:
        The arrays of ``summary``, of one image.
    """
    found = progressive(*shared, image)
    squared = jnp.square(found.images[found.source_bin] - image).mean()
    return {
        "probability": found.probability,
        "desired": found.desired,
        "achieved": found.probabilities,
        "psnr": psnr_of_mse(squared),
        "spread": jnp.abs(found.images[-1] - found.images[0]).mean(),
    }


def summary(found: Mapping[str, np.ndarray], decisions: Int[np.ndarray, " n"]) -> dict[str, float]:
    """What the explanations of validation images reach.

    Args:
        found: ``probability`` ``(n,)`` of class 1; ``desired`` and ``achieved`` ``(n, k)``, for
            each bin; ``psnr`` ``(n,)`` of the drawing for the image's own bin, in decibels;
            ``spread`` ``(n,)``, the mean magnitude of the difference between the drawings for the
            last and the first bin.
        decisions: the classifier's on each image, 0 or 1; both occur.

    Returns:
        Each a mean over the two decisions: ``validation_compatibility``, the magnitude of achieved
        minus desired; ``validation_crossed``, the share of images whose decision turns over at the
        opposite extreme bin; ``validation_psnr`` in decibels, of an image at most 60;
        ``validation_spread``, about 0 where the bin has no effect. Besides
        ``validation_rank_correlation`` of achieved and desired, 0 where all achieved are alike; and
        ``validation_score``, crossed times psnr.
    """
    achieved, opposite = (
        found["achieved"],
        np.where(decisions == 1, 0, found["achieved"].shape[1] - 1),
    )
    extreme = np.take_along_axis(achieved, opposite[:, None], axis=1)[:, 0]
    of_images = {
        "compatibility": np.abs(achieved - found["desired"]).mean(axis=1),
        "crossed": decision_flips(found["probability"], extreme),
        "psnr": np.minimum(found["psnr"], _FINEST_PSNR),
        "spread": found["spread"],
    }
    means = {
        f"validation_{name}": float(np.mean([values[decisions == c].mean() for c in (0, 1)]))
        for name, values in of_images.items()
    }
    correlation = rank_correlation(found["desired"].ravel(), achieved.ravel())
    score = means["validation_crossed"] * means["validation_psnr"]
    return means | {
        "validation_rank_correlation": float(np.nan_to_num(correlation)),
        "validation_score": score,
    }
