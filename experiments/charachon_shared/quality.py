"""The quality of generated images: their classes, and their nearness to image and truth."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.metrics import Interval, psnr, ssim
from cfx_jax.parallel import map_examples
from experiments.charachon_shared.classifier import auc_interval, log_odds
from experiments.charachon_shared.generators import PairGenerator
from experiments.charachon_shared.setup import Setup
from experiments.shared import Arrays, Classifier, ImageSet, decisions

_HIGHEST = 100.0  # PSNR that equal images are given

PAIRS = ("x, x_s", "x, x_a", "x_s, x_a")
"""The pairs of images that are compared."""


class Quality(NamedTuple):
    """The quality of one generator's images on the n test images.

    Attributes:
        decided: the classifier's decision on each image, (n,).
        adversarial_odds: the log-odds of the finding in each adversarial image, (n,).
        auc_similar: area under the ROC curve of the similar images' scores for the decisions on the
            images.
        auc_adversarial: the area under the ROC curve of the adversarial images' scores for the
            opposite decisions.
        kept: whether the similar image is decided as the image is, (n,).
        turned: whether the adversarial image is decided otherwise, (n,).
        ssim, psnr: the similarity of each pair of ``PAIRS``, by name, (n,); a PSNR is at most 100.
        to_truth: ``{"inside", "outside"}``, PSNR (n,) of the adversarial image to the true
            counterfactual, inside of the lesion of either and outside; empty where none is known.
        image_to_truth: the PSNR of the image itself to its true counterfactual, ``"inside"`` alone:
            outside the two are equal.
    """

    decided: Int[np.ndarray, " n"]
    adversarial_odds: Float[np.ndarray, " n"]
    auc_similar: Interval
    auc_adversarial: Interval
    kept: Float[np.ndarray, " n"]
    turned: Float[np.ndarray, " n"]
    ssim: dict[str, Float[np.ndarray, " n"]]
    psnr: dict[str, Float[np.ndarray, " n"]]
    to_truth: dict[str, Float[np.ndarray, " n"]]
    image_to_truth: dict[str, Float[np.ndarray, " n"]]


def measure_quality(generator: PairGenerator, setup: Setup[Any]) -> Quality:
    """Measures a generator on all test images, and keeps the result in the workspace.

    Args:
        generator: the generator of pairs, as ``check_pairs`` returns it.
        setup: the images, the classifier, and how many images are computed at once.
    """
    config, data, network, workspace = setup

    def compute() -> Arrays:
        shared = (network.classifier, generator.explain)
        label = f"quality of {generator.name}"
        return map_examples(
            _measure, shared, _examples(data.test), batch_size=config.batch_size, progress=label
        )

    depends = [generator.identity, network.identity, data.test.identity]
    arrays = workspace.cached(f"quality {generator.name}", depends, compute)
    logits = arrays["logits"]  # (n, 3, 2): of the image, the similar and the adversarial one
    decided, similar, adversarial = decisions(logits).T
    return Quality(
        decided=decided,
        adversarial_odds=log_odds(logits[:, 2]),
        auc_similar=auc_interval(logits[:, 1], decided == 1, data.groups),
        auc_adversarial=auc_interval(logits[:, 2], decided == 0, data.groups),
        kept=(similar == decided).astype(float),
        turned=(adversarial != decided).astype(float),
        ssim=dict(zip(PAIRS, arrays["ssim"].T, strict=True)),
        psnr=dict(zip(PAIRS, arrays["psnr"].T, strict=True)),
        to_truth={name: arrays[name] for name in ("inside", "outside") if name in arrays},
        image_to_truth={"inside": arrays["image_inside"]} if "image_inside" in arrays else {},
    )


def _examples(images: ImageSet) -> dict[str, np.ndarray]:
    arrays = images.arrays
    examples = {"image": arrays["image"]}
    if "counterfactual" in arrays:
        lesion = arrays["lesion_mask"] | arrays["counterfactual_lesion_mask"]
        examples |= {"counterfactual": arrays["counterfactual"], "lesion": lesion}
    return examples


def _measure(
    shared: tuple[Classifier, Callable[[Array], Any]], example: dict[str, Array]
) -> dict[str, Array]:
    classifier, explain = shared
    image = example["image"]
    similar, adversarial = explain(image)
    pairs = ((image, similar), (image, adversarial), (similar, adversarial))
    measures = {
        "logits": jax.vmap(classifier)(jnp.stack([image, similar, adversarial])),
        "ssim": jnp.stack([ssim(*pair) for pair in pairs]),
        "psnr": jnp.stack([jnp.minimum(psnr(*pair), _HIGHEST) for pair in pairs]),
    }
    if "counterfactual" in example:
        truth, lesion = example["counterfactual"], example["lesion"][..., None]
        measures["inside"] = _masked_psnr(adversarial, truth, lesion)
        measures["outside"] = _masked_psnr(adversarial, truth, ~lesion)
        measures["image_inside"] = _masked_psnr(image, truth, lesion)
    return measures


def _masked_psnr(
    first: Float[Array, "h w c"], second: Float[Array, "h w c"], mask: Float[Array, "h w 1"]
) -> Float[Array, ""]:
    """The PSNR over the pixels of a mask; NaN where it is empty."""
    squares = jnp.where(mask, jnp.square(first - second), 0)
    return jnp.minimum(-10 * jnp.log10(squares.sum() / (mask.sum() * first.shape[-1])), _HIGHEST)
