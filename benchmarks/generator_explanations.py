"""The cost of explanations by trained generators, in units of the passes that they need.

A pair of SAGen takes one pass of its generator, a pair of SyCE two (with the images grouped by
decision, as the experiments do), and a path attribution with N nodes N values and gradients of the
classifier, along the generator's own path each with a Jacobian-vector product of its decoder. A
sweep of progressive exaggeration over ten bins takes one encoding, ten drawings, and a pass of the
classifier for each drawing and the image. Explanations and passes take turns in one process on the
same batch; the ratio of the median times is what the explanation adds.

At 224 px with a ResNet-50, and smaller::

    python -m benchmarks.generator_explanations
    python -m benchmarks.generator_explanations --image-size 64 --model resnet_small \\
        --filters 8 16 32 64
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx
from jax import Array

from benchmarks.measure import report, seconds
from cfx_jax.attributions import path_attribution, path_attribution_along
from cfx_jax.checks import check_count, check_num_steps
from cfx_jax.counterfactuals import progressive, similar_adversarial
from cfx_jax.models import (
    ProgressiveGenerator,
    SingleAE,
    UNetGenerator,
    build,
    exaggerator_of,
    generator_of,
    per_image,
)
from cfx_jax.objectives import class_score
from cfx_jax.report import format_table
from experiments.shared import command_line


@dataclass(frozen=True)
class Config:
    """Measures explanations by generators against the passes of their networks."""

    model: str = "resnet50"
    """The classifier's architecture, by name (paper: ResNet-50)."""
    image_size: int = 224
    """Height and width in pixels (paper: 224)."""
    filters: tuple[int, ...] = (16, 32, 64, 128, 256)
    """Channels of the generators at each resolution."""
    batch_size: int = 4
    """Images explained at once."""
    num_steps: int = 50
    """Nodes of a path (paper: 50)."""
    nodes_per_batch: int = 1
    """How many nodes of each image are differentiated at once."""
    repeats: int = 5
    """Measured calls of each explanation; each between two series of passes."""
    output: str = ""
    """A JSON file for the figures, in benchmarks/results by custom; empty writes none."""


class _Case(NamedTuple):
    """An explanation of a batch, and the passes that it is measured in, each with how many it
    needs.
    """

    name: str
    explanation: Callable[[], Any]
    passes: tuple[tuple[int, Callable[[], Any]], ...]
    bound: float


_COLUMNS = ["explanation", "seconds", "its passes alone", "ratio", "bound"]


def main(config: Config) -> None:
    """Prints one row for each explanation."""
    check_count(config.batch_size, name="batch_size")
    check_count(config.repeats, name="repeats")
    check_num_steps(config.num_steps)
    rows = []
    for case in _cases(config):
        rows.append([case.name, *_measure(case, config.repeats), case.bound])
        print(format_table(_COLUMNS, rows[-1:]), flush=True)
    report(config, _COLUMNS, rows, config.output)


def _measure(case: _Case, repeats: int) -> tuple[float, float, float]:
    """Seconds of the explanation, of its passes alone, and their ratio; medians of calls that took
    turns.
    """
    calls = (case.explanation, *(call for _, call in case.passes))
    for call in calls:
        seconds(call)  # compiles
    times = np.median([[seconds(call) for call in calls] for _ in range(repeats)], axis=0)
    alone = float(
        sum(count * each for (count, _), each in zip(case.passes, times[1:], strict=True))
    )
    return float(times[0]), alone, float(times[0]) / alone


def _cases(config: Config) -> list[_Case]:
    """The explanations of one batch of noise by untrained networks: speed does not depend on the
    weights.
    """
    shape = (config.batch_size, config.image_size, config.image_size, 1)
    images = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    network = build(config.model, num_classes=2, in_channels=1, rngs=nnx.Rngs(0))
    pair = generator_of(SingleAE(filters=config.filters, rngs=nnx.Rngs(1)))
    coder = generator_of(UNetGenerator(filters=config.filters, rngs=nnx.Rngs(2)))
    knob = exaggerator_of(
        ProgressiveGenerator(in_channels=1, filters=config.filters, rngs=nnx.Rngs(3))
    )
    nodes: dict[str, Any] = {
        "num_steps": config.num_steps,
        "nodes_per_batch": config.nodes_per_batch,
    }
    ends = jax.jit(_ends)(coder, images)
    latents = jax.jit(_latents)(coder, images)
    gradient = partial(jax.jit(_value_and_gradient), network, images)
    encoded = jax.jit(_encode)(knob, images)
    return [
        _Case(
            "similar and adversarial image (SAGen)",
            partial(jax.jit(_pair), pair, images),
            ((1, partial(jax.jit(_generate), pair, images)),),
            1.1,
        ),
        _Case(
            "stable and adversarial image (SyCE)",
            partial(jax.jit(_ends), coder, images),
            ((2, partial(jax.jit(_generate), coder, images)),),
            1.1,
        ),
        _Case(
            "sweep of ten bins",
            partial(jax.jit(_sweep), knob, network, images),
            (
                (1, partial(jax.jit(_encode), knob, images)),
                (10, partial(jax.jit(_draw), knob, encoded)),
                (11, partial(jax.jit(_classify), network, images)),
            ),
            1.1,
        ),
        _Case(
            "straight path",
            partial(jax.jit(partial(_straight, nodes)), network, *ends),
            ((config.num_steps, gradient),),
            1.15,
        ),
        _Case(
            "along the generator",
            partial(jax.jit(partial(_along, nodes)), network, coder, *latents),
            (
                (config.num_steps, gradient),
                (config.num_steps, partial(jax.jit(_velocity), coder, *latents)),
            ),
            1.15,
        ),
    ]


def _score(network: nnx.Module) -> Callable[[Array], Array]:
    return class_score(per_image(network), 1, of="probability")


def _generate(generator: Any, images: Array) -> Any:
    return jax.vmap(generator)(images)


def _pair(generator: Any, images: Array) -> Array:
    return jax.vmap(lambda image: similar_adversarial(generator, image).explanation)(images)


def _sweep(knob: Any, network: nnx.Module, images: Array) -> Any:
    return jax.vmap(lambda image: progressive(knob, per_image(network), image))(images)


def _encode(knob: Any, images: Array) -> Any:
    return jax.vmap(lambda image: knob.encode(image, 0))(images)


def _draw(knob: Any, latents: Any) -> Array:
    return jax.vmap(lambda latent: knob.decode(latent, 9))(latents)


def _classify(network: nnx.Module, images: Array) -> Array:
    return jax.vmap(per_image(network))(images)


def _ends(coder: Any, images: Array) -> tuple[Array, Array]:
    """x_s and x_a of images of one decision."""
    adversarial = jax.vmap(coder)(images)
    return jax.vmap(coder)(adversarial), adversarial


def _latents(coder: Any, images: Array) -> tuple[Any, Any]:
    """The latents that decode to x_s and x_a."""
    return jax.vmap(coder.encode)(jax.vmap(coder)(images)), jax.vmap(coder.encode)(images)


def _value_and_gradient(network: nnx.Module, images: Array) -> Any:
    return jax.vmap(jax.value_and_grad(_score(network)))(images)


def _velocity(coder: Any, start: Any, end: Any) -> Any:
    way = jax.tree.map(lambda a, b: b - a, start, end)
    return jax.vmap(lambda latent, step: jax.jvp(coder.decode, (latent,), (step,)))(start, way)


def _straight(nodes: dict[str, Any], network: nnx.Module, start: Array, end: Array) -> Array:
    return jax.vmap(lambda one, other: path_attribution(_score(network), one, other, **nodes).map)(
        start, end
    )


def _along(nodes: dict[str, Any], network: nnx.Module, coder: Any, start: Any, end: Any) -> Array:
    score = _score(network)
    return jax.vmap(
        lambda one, other: path_attribution_along(score, coder.decode, one, other, **nodes).map
    )(start, end)


if __name__ == "__main__":
    command_line.command(main, Config)
