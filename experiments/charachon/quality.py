"""How good the two images of a generator are: what the classifier says of them, how near they are
to the image, and how near to the true counterfactual where that is known."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from cfx_jax.metrics import Interval, psnr, psnr_of_mse, ssim
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import map_examples
from experiments.charachon.classifier import Network, auc_interval, log_odds
from experiments.charachon.config import GenerationConfig
from experiments.charachon.generators import PairGenerator
from experiments.charachon.images import Data
from experiments.shared.image_set import decisions
from experiments.shared.stages import Arrays, Workspace

_HIGHEST = 100.0  # PSNR that equal images are given

PAIRS = ("x, x_s", "x, x_a", "x_s, x_a")
"""The pairs of images that are compared."""


class Quality(NamedTuple):
    """One generator on the test images; (n,) is one number for each.

    Attributes:
        decided: the classifier's decision on each image, (n,).
        adversarial_odds: the log-odds of the finding in each adversarial image, (n,).
        auc_similar: area under the ROC curve of the similar images' scores for the decisions on the
            images.
        auc_adversarial: that of the adversarial images' scores for the opposite decisions.
        kept: whether the similar image is decided as the image is, (n,).
        turned: whether the adversarial image is decided otherwise, (n,).
        ssim, psnr: by the names of ``PAIRS``, (n,); a PSNR is at most 100.
        to_truth: ``{"inside", "outside"}``, PSNR (n,) of the adversarial image to the true
            counterfactual, inside of the lesion of either and outside; empty where none is known.
        image_to_truth: the same of the image itself, ``"inside"`` alone: outside it equals its true
            counterfactual.
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


def measure_quality(
    generator: PairGenerator,
    config: GenerationConfig,
    data: Data,
    network: Network,
    workspace: Workspace,
) -> Quality:
    """Measures a generator on all test images.

    Args:
        generator: of pairs; any that ``check_pairs`` gives.
        config: how many images are computed at once.
        data: the images.
        network: the classifier.
        workspace: keeps the result.
    """

    def compute() -> Arrays:
        shared = (network.classifier, generator.explain)
        label = f"quality of {generator.name}"
        return map_examples(
            _measure, shared, _examples(data), batch_size=config.batch_size, progress=label
        )

    depends = [generator.identity, network.identity, data.test.identity]
    found = workspace.cached(f"quality {generator.name}", depends, compute)
    decided, similar, adversarial = (decisions(each) for each in np.moveaxis(found["logits"], 1, 0))
    return Quality(
        decided=decided,
        adversarial_odds=log_odds(found["logits"][:, 2]),
        auc_similar=auc_interval(found["logits"][:, 1], decided == 1, data.groups),
        auc_adversarial=auc_interval(found["logits"][:, 2], decided == 0, data.groups),
        kept=(similar == decided).astype(float),
        turned=(adversarial != decided).astype(float),
        ssim={name: found["ssim"][:, column] for column, name in enumerate(PAIRS)},
        psnr={name: found["psnr"][:, column] for column, name in enumerate(PAIRS)},
        to_truth={name: found[name] for name in ("inside", "outside") if name in found},
        image_to_truth={"inside": found["image_inside"]} if "image_inside" in found else {},
    )


def _examples(data: Data) -> dict[str, np.ndarray]:
    arrays = data.test.arrays
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
    found = {
        "logits": jax.vmap(classifier)(jnp.stack([image, similar, adversarial])),
        "ssim": jnp.stack([ssim(*pair) for pair in pairs]),
        "psnr": jnp.stack([jnp.minimum(psnr(*pair), _HIGHEST) for pair in pairs]),
    }
    if "counterfactual" in example:
        truth, lesion = example["counterfactual"], example["lesion"][..., None]
        found["inside"] = _masked_psnr(adversarial, truth, lesion)
        found["outside"] = _masked_psnr(adversarial, truth, ~lesion)
        found["image_inside"] = _masked_psnr(image, truth, lesion)
    return found


def _masked_psnr(
    first: Float[Array, "h w c"], second: Float[Array, "h w c"], mask: Float[Array, "h w 1"]
) -> Float[Array, ""]:
    """The PSNR over the pixels of a mask; NaN where it is empty."""
    squares = jnp.where(mask, jnp.square(first - second), 0)
    return jnp.minimum(psnr_of_mse(squares.sum() / (mask.sum() * first.shape[-1])), _HIGHEST)
