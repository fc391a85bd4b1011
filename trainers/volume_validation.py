"""The validation of a classifier of volumes."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int

from cfx_jax.checks import check_classes, check_images
from cfx_jax.errors import InputError
from cfx_jax.metrics import accuracy, balanced_accuracy
from cfx_jax.models.volumes.half_brain import HalfBrainLogits
from cfx_jax.parallel import map_examples
from trainers.nnx_views import ModelFactory, evaluation_view, graph_of
from trainers.running import Evaluate, State
from trainers.saliency_source import check_saliency
from trainers.volume_answers import Answer, Logits, decided, loss_terms, number_of_classes
from trainers.volume_config import Config, seedless


def validation_of(
    config: Config, validation: Mapping[str, np.ndarray], *, model: ModelFactory, mesh: Mesh | None
) -> Evaluate:
    """The validation of a state; arguments, result and errors as
    ``volume_classifier.make_evaluate``.
    """
    examples, labels = _check(config, validation), np.asarray(validation["label"])
    graphdef, answer = graph_of(model), Answer(seedless(config))

    def evaluate(state: State) -> dict[str, float]:
        network = evaluation_view(graphdef, state.params, state.rest)
        return scores(
            map_examples(answer, network, examples, batch_size=config.eval_batch_size, mesh=mesh),
            labels,
        )

    return evaluate


def scores(logits: Logits, labels: Int[np.ndarray, " n"]) -> dict[str, float]:
    """How often a classifier of volumes is right, and how sure.

    Args:
        logits: of volumes.
        labels: their classes.

    Returns:
        By the names of ``volume_classifier.make_evaluate``.
    """
    decisions = np.asarray(decided(logits))
    num_weights = 2 if isinstance(logits, HalfBrainLogits) else logits.shape[-1]
    terms = loss_terms(logits, jnp.asarray(labels), jnp.ones(num_weights))
    found = {
        "validation_accuracy": accuracy(decisions == labels),
        "validation_balanced_accuracy": balanced_accuracy(decisions == labels, labels),
        "validation_cross_entropy": float(sum(terms.values())),
    }
    if isinstance(logits, HalfBrainLogits):
        found["validation_lesion_accuracy"] = accuracy((decisions > 0) == (labels > 0))
    return found


def _check(config: Config, validation: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The fields that the network sees."""
    images = np.asarray(validation["image"])
    if images.ndim != 5:
        raise InputError(
            f"validation volumes: expected volumes (n, s, h, w, c), got shape {images.shape}"
        )
    check_images(images.reshape(-1, *images.shape[2:]), name="validation volumes")
    check_classes(
        np.asarray(validation["label"]), number_of_classes(config), name="validation labels"
    )
    if not config.saliency:
        return {"image": images}
    if "saliency" not in validation:
        raise InputError(
            "validation: expected saliency, since the network takes maps, got none: give (n, s, h,"
            " w, 1)"
        )
    maps = np.asarray(validation["saliency"])
    check_saliency(maps, images.shape, name="validation saliency")
    return {"image": images, "saliency": maps}
