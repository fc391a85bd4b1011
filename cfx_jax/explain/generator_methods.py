"""The methods of ``explain`` that a trained generator gives: pictures, and maps of what changes.

A generator knows two sides (``TrainedGenerator.sides``). Of an image decided for one of them it
draws an image of the other. If the target class lies on the image's own side, the picture is the
one that keeps the decision, as other methods leave an image that is decided as wanted. The picture
of ``progressive`` is the last of its sweep to the target's side in either case.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from cfx_jax.array_types import at_least_float32
from cfx_jax.counterfactuals import (
    SimilarAdversarial,
    cyce,
    naive_adversarial,
    progressive,
    similar_adversarial,
    syce,
)
from cfx_jax.errors import InputError
from cfx_jax.explain.methods import (
    METHODS,
    Example,
    Method,
    Outcome,
    Sweep,
    change_scores,
)
from cfx_jax.explain.settings import Settings
from cfx_jax.explain.trained import TrainedGenerator, check_generator, load_generator
from cfx_jax.models import TwoSides, exaggerator_of, generator_of, two_sides
from cfx_jax.objectives import Classifier, decision

_LEAST_ERROR = 1e-10
"""The mean square that the PSNR of equal pictures is computed with: 100 dB."""
_MAP = "_map"
_READING = "red: where the two drawings differ"


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Drawing:
    """A generator and the classifier that it explains; a pytree, with the weights as leaves.

    Attributes:
        classifier: one image -> logits of all classes.
        networks: functions of one image.
        method: of ``TrainedGenerator.method``.
        sides: of ``TrainedGenerator.sides``.
    """

    classifier: Classifier
    networks: tuple[Any, ...]
    method: str = field(metadata={"static": True})
    sides: tuple[tuple[int, ...], tuple[int, ...]] = field(metadata={"static": True})

    @property
    def of_sides(self) -> TwoSides:
        """The classifier of the two sides."""
        return two_sides(self.classifier, *self.sides)


def draw_generators(
    generators: Sequence[TrainedGenerator | str | Path],
    classifier: Classifier,
    *,
    shape: Sequence[int],
    classes: Sequence[str],
) -> dict[str, Drawing]:
    """The drawing that each method of some generators computes with.

    Args:
        generators: trained ones, or their folders.
        classifier: one image -> logits ``(k,)``, from ``as_pytree``.
        shape: of the images, (h, w, c).
        classes: names of the k classes.

    Returns:
        By the name of the method, a picture and a map for each generator.

    Raises:
        InputError: as ``load_generator`` and ``check_generator``; two generators of one method.
    """
    drawings: dict[str, Drawing] = {}
    for given in generators:
        generator = as_trained(given)
        check_generator(generator, classifier, shape=shape, classes=classes)
        name = _METHOD_OF.get(generator.method, generator.method)
        if name in drawings:
            raise InputError(
                f"generators: expected one of each method, got two of {name}: explain by one at a"
                " time, into two folders"
            )
        view = exaggerator_of if generator.method == "progressive" else generator_of
        networks = tuple(view(network.module) for network in generator.networks)
        drawing = Drawing(classifier, networks, generator.method, generator.sides)
        drawings |= {name: drawing, name + _MAP: drawing}
    return drawings


def as_trained(generator: TrainedGenerator | str | Path) -> TrainedGenerator:
    """A trained generator, or the one of a folder.

    Raises:
        InputError: as ``load_generator``.
    """
    return generator if isinstance(generator, TrainedGenerator) else load_generator(generator)


def draw_pair(drawing: Drawing, image: Float[Array, "h w c"]) -> SimilarAdversarial:
    """The two images that a generator draws of an image.

    Args:
        drawing: the generator with its classifier.
        image: values in [0, 1].

    Returns:
        As ``similar`` the image drawn anew for the side that it is decided for, or the image itself
        where a method draws none; as ``adversarial`` the image drawn for the other side.
    """
    return _DRAWERS[drawing.method](drawing, image)


def _draw_by_one(drawing: Drawing, image: Float[Array, "h w c"]) -> SimilarAdversarial:
    pairs: dict[str, Callable[..., SimilarAdversarial]] = {
        "similar_adversarial": similar_adversarial,
        "naive_adversarial": naive_adversarial,
    }
    return pairs[drawing.method](drawing.networks[0], image)


def _draw_cycle(drawing: Drawing, image: Float[Array, "h w c"]) -> SimilarAdversarial:
    explain = syce if drawing.method == "syce" else cyce
    return explain(drawing.networks, drawing.of_sides, image)


def _draw_progressive(drawing: Drawing, image: Float[Array, "h w c"]) -> SimilarAdversarial:
    """The drawing for the image's own bin, and the one at the far end of the other side."""
    explanation = progressive(drawing.networks[0], drawing.of_sides, image)
    kept = jnp.asarray(explanation.images)[explanation.source_bin]
    return SimilarAdversarial(kept, explanation.extreme)


_DRAWERS: dict[str, Callable[[Drawing, Float[Array, "h w c"]], SimilarAdversarial]] = {
    "similar_adversarial": _draw_by_one,
    "naive_adversarial": _draw_by_one,
    "syce": _draw_cycle,
    "cyce": _draw_cycle,
    "progressive": _draw_progressive,
}
_METHOD_OF = {"naive_adversarial": "similar_adversarial"}
"""The method of ``explain`` where it is called otherwise than the generator's."""


def _stays(drawing: Drawing, example: Example) -> Bool[Array, ""]:
    """Whether the target lies on the side that the image is decided for."""
    return decision(drawing.of_sides(example.image)) == _is_of_side_1(drawing, example)


def _is_of_side_1(drawing: Drawing, example: Example) -> Bool[Array, ""]:
    """Whether the target lies on side 1."""
    return jnp.isin(example.target, jnp.array(drawing.sides[1]))


def _picture(settings: Settings, drawing: Drawing, example: Example) -> Outcome:
    drawn = draw_pair(drawing, example.image)
    picture = jnp.where(_stays(drawing, example), drawn.similar, drawn.adversarial)
    scores = change_scores(drawing.classifier, example, picture, settings.p)
    if drawing.method in ("cyce", "naive_adversarial"):  # they draw no image that keeps the side
        return Outcome(picture, scores)
    return Outcome(picture, scores | {"redrawing": _psnr(drawn.similar, example.image)})


def _sweep(settings: Settings, drawing: Drawing, example: Example) -> Outcome:
    """The drawings for rising probabilities of the target's side, the last of them the picture."""
    explanation = progressive(drawing.networks[0], drawing.of_sides, example.image)
    images = jnp.asarray(explanation.images)  # (k, h, w, c), by rising probability of side 1
    towards_1 = _is_of_side_1(drawing, example)
    rising = jnp.where(towards_1, images, images[::-1])
    positions = jnp.asarray(explanation.desired)  # their sum with themselves reversed is 1
    logits = jax.vmap(drawing.classifier)(rising)
    probabilities = jax.nn.softmax(at_least_float32(logits))
    sweep = Sweep(rising[:-1], positions, probabilities[:, example.target])
    scores = change_scores(drawing.classifier, example, rising[-1], settings.p)
    redrawing = _psnr(images[explanation.source_bin], example.image)
    return Outcome(rising[-1], scores | {"redrawing": redrawing}, sweep)


def _psnr(drawn: Float[Array, "h w c"], image: Float[Array, "h w c"]) -> Float[Array, ""]:
    error = jnp.square(drawn - image).mean()
    return -10 * jnp.log10(jnp.maximum(error, _LEAST_ERROR))


def _map(settings: Settings, drawing: Drawing, example: Example) -> Outcome:
    del settings
    drawn = draw_pair(drawing, example.image)
    return Outcome(drawn.explanation, {})


def _rows(
    name: str, title: str, picture: str, difference: str, *, compute: Any = _picture, **shown: Any
) -> dict[str, Method]:
    """The picture and the map of a method, each about as dear as one gradient."""
    compute_map: Any = _map
    mapped = Method(
        name + _MAP,
        f"{title}: what differs",
        False,
        difference,
        compute_map,
        _one_gradient,
        reading=_READING,
    )
    return {
        name: Method(name, title, True, picture, compute, _one_gradient, **shown),
        mapped.name: mapped,
    }


def _one_gradient(settings: Settings) -> int:
    del settings
    return 1


GENERATOR_METHODS: Mapping[str, Method] = {
    **_rows(
        "similar_adversarial",
        "SAGen",
        "The image that a generator draws with another decision (SAGen, Charachon et al. 2020).",
        "Where SAGen's drawings of the same and of the other decision differ, at least 0.",
    ),
    **_rows(
        "syce",
        "SyCE",
        "The image of the other side by the generator of the decided one (SyCE, Charachon et al."
        " 2021).",
        "Where SyCE's drawings of the same and of the other decision differ, at least 0.",
    ),
    **_rows(
        "cyce",
        "CyCE",
        "The image of the other side by the generator of the decided one (CyCE, Charachon et al."
        " 2021).",
        "Where CyCE's drawing of the other decision differs from the image, at least 0.",
    ),
    **_rows(
        "progressive",
        "Progressive exaggeration",
        "The last image of a sweep over probabilities towards the other side (Singla et al. 2020).",
        "Where the drawings for the image's own probability and for the far end differ, at least"
        " 0.",
        compute=_sweep,
        knob="probability asked for",
    ),
}
"""The methods that ``explain(generators=)`` adds; each computes with a ``Drawing``."""

ALL_METHODS: Mapping[str, Method] = {**METHODS, **GENERATOR_METHODS}
"""All methods by name, as stored explanations know them."""
