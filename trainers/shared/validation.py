"""The validation of a training: its images, a measure of each one, and the means of the measures.

Every trainer's ``make_evaluate`` is built of these parts.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.checks import check_images
from cfx_jax.parallel import map_examples

from .run_settings import RunSettings
from .trainer import Inputs


def validation_images(inputs: Inputs) -> Float[np.ndarray, "n h w c"]:
    """The images of the validation.

    Raises:
        InputError: values outside [0, 1].
    """
    images = np.asarray(inputs.validation["image"])
    check_images(images, name="validation images")
    return images


def measure_validation(
    run: RunSettings,
    inputs: Inputs,
    measure: Callable[[Any, Any], Any],
    shared: Any,
    examples: Any,
) -> Any:
    """``measure(shared, example)`` of each example, computed in batches on all devices.

    Args:
        run: the settings that hold the batch size.
        inputs: the inputs of the training, whose devices compute.
        measure: a function of ONE example; functions with equal contents compile once.
        shared: a pytree that all examples share, such as the network.
        examples: a pytree of arrays with a leading axis over examples.

    Returns:
        The results as NumPy arrays with a leading axis over examples.
    """
    return map_examples(measure, shared, examples, batch_size=run.eval_batch_size, mesh=inputs.mesh)


def mean_metrics(values: Mapping[str, Float[np.ndarray, " n"]]) -> dict[str, float]:
    """The means of metrics over the validation images.

    Args:
        values: the metrics of each image, by name; ``loss`` is one of them.

    Returns:
        Each mean under ``validation_NAME``, and ``validation_score``, the negative mean loss.
    """
    means = {f"validation_{name}": float(metric.mean()) for name, metric in values.items()}
    return means | {"validation_score": -means["validation_loss"]}
