"""The page on which a reader turns the probability of a progressive generator."""

import os
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Float

from cfx_jax.callables import as_pytree, call
from cfx_jax.counterfactuals import progressive
from cfx_jax.errors import InputError
from cfx_jax.explain.trained_generators import TrainedGenerator, check_generator
from cfx_jax.models import exaggerator_of, two_sides
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import map_examples
from cfx_jax.report import Sweep, write_knob


def write_sweeps(
    path: str | os.PathLike[str],
    generator: TrainedGenerator,
    classifier: Classifier,
    images: Float[np.ndarray, "n h w c"],
    *,
    names: Sequence[str],
    batch_size: int | None = None,
    mesh: jax.sharding.Mesh | None = None,
) -> Path:
    """Draws images for each probability of side 1, and writes the page with a slider through them.

    Args:
        path: the file, such as ``knob.html``.
        generator: of the method ``progressive``.
        classifier: the one that it was trained on.
        images: values in [0, 1].
        names: of the images.
        batch_size: images drawn at once; None takes all.
        mesh: the devices; None takes all.

    Returns:
        The path.

    Raises:
        InputError: a generator of another method; as ``check_generator``; a file that cannot be
            written.
    """
    if generator.method != "progressive":
        raise InputError(f"generator: expected one of progressive, got {generator.method}")
    check_generator(generator, classifier, shape=images.shape[1:], classes=generator.classes)
    explainer = exaggerator_of(generator.networks[0].module)
    of_sides = two_sides(as_pytree(classifier), *generator.sides)
    explain = Partial(progressive, explainer, of_sides)
    drawn = map_examples(call, explain, images, batch_size=batch_size, mesh=mesh)
    sweeps = [
        Sweep(
            original=image,
            name=name,
            images=drawn.images[number],
            probabilities=drawn.probabilities[number],
            desired=drawn.desired[number],
            source_bin=int(drawn.source_bin[number]),
            probability=float(drawn.probability[number]),
        )
        for number, (image, name) in enumerate(zip(images, names, strict=True))
    ]
    title = f"From {generator.side_names[0]} to {generator.side_names[1]}"
    return write_knob(path, sweeps, title=title, class_names=generator.side_names)
