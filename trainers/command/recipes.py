"""Recipes of ``cfx train``: a generator of a user's own model is trained and stored.

The model may have any number of classes. A generator goes between two sides of them: one class
against another, or one against all others. Its training sees the model's decisions alone, never the
labels of the data.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx
from jax.tree_util import Partial
from jaxtyping import Float, Int

from cfx_jax.compilation import as_pytree
from cfx_jax.diagnosis import GeneratorAnswers, generator_answers
from cfx_jax.errors import InputError
from cfx_jax.explain import Network, TrainedGenerator, save_generator, trained_generator
from cfx_jax.explain.generator_methods import draw_generators, draw_pair
from cfx_jax.models import two_sides
from cfx_jax.objectives import Classifier

from .. import cycle, progressive, similar_adversarial
from ..shared import Trainer, train
from . import recipe_settings

Sides = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Recipe:
    """How ``cfx train NAME`` trains a generator.

    Attributes:
        summary: a line for the help of the command.
        trainer: trains the generator.
        config: the trainer's settings where the user names none, see ``recipe_settings.py``.
        method_of: a configuration -> the method of ``explain`` that the generator serves.
        options_of: a configuration -> the options that the class of the networks takes.
    """

    summary: str
    trainer: Trainer[Any]
    config: Any
    method_of: Callable[[Any], str]
    options_of: Callable[[Any], Mapping[str, Any]]


def _sagen_method(config: similar_adversarial.Config) -> str:
    return "naive_adversarial" if config.generator == "naive" else "similar_adversarial"


def _cycle_method(config: cycle.Config) -> str:
    return config.method


def _progressive_method(config: progressive.Config) -> str:
    del config
    return "progressive"


RECIPES = {
    "similar_adversarial": Recipe(
        "SAGen: a similar and an adversarial image (Charachon et al. 2020).",
        similar_adversarial.TRAINER,
        recipe_settings.SAGEN_SETTINGS,
        _sagen_method,
        similar_adversarial.generator_options,
    ),
    "syce": Recipe(
        "SyCE: a generator for each decision, that also leads back (Charachon et al. 2021).",
        cycle.TRAINER,
        recipe_settings.SYCE_SETTINGS,
        _cycle_method,
        cycle.generator_options,
    ),
    "cyce": Recipe(
        "CyCE: a generator for each decision, in a cycle (Charachon et al. 2021).",
        cycle.TRAINER,
        recipe_settings.CYCE_SETTINGS,
        _cycle_method,
        cycle.generator_options,
    ),
    "progressive": Recipe(
        "Progressive exaggeration: a drawing for each probability (Singla et al. 2020).",
        progressive.TRAINER,
        recipe_settings.PROGRESSIVE_SETTINGS,
        _progressive_method,
        progressive.generator_options,
    ),
}


def fit_to_images(config: Any, shape: tuple[int, int, int]) -> Any:
    """A configuration with the settings that follow from the images.

    Args:
        config: the configuration of a recipe; ``in_channels`` and ``size``, where it has one, are
            the images'.
        shape: the shape of the images, (h, w, c).

    Raises:
        InputError: the configuration names others.
    """
    follows: dict[str, Any] = {"in_channels": shape[2], "size": tuple(shape[:2])}
    follows = {name: value for name, value in follows.items() if hasattr(config, name)}
    for name, value in follows.items():
        given = getattr(config, name)
        if given not in (value, getattr(type(config)(), name)):
            raise InputError(
                f"{name}: expected {value}, as the images have, got {given}: leave the setting out"
            )
    return replace(config, **follows)


def train_explainer(
    name: str,
    classifier: Classifier,
    source: Any,
    train_indices: Int[np.ndarray, " n"],
    validation_images: Float[np.ndarray, "m h w c"],
    workdir: str | Path,
    *,
    config: Any = None,
    classes: Sequence[str],
    sides: Sides = ((0,), (1,)),
    model: str = "classifier",
    num_workers: int = 0,
    progress: bool = True,
) -> tuple[TrainedGenerator, GeneratorAnswers]:
    """Trains a generator on a classifier's decisions and keeps it for ``explain(generators=)``.

    A training that was stopped goes on when the call is made again; a finished one is only read.

    Args:
        name: one of ``RECIPES``.
        classifier: one image -> logits ``(k,)``.
        source: random-access; its items hold ``image``, in [0, 1].
        train_indices: the items to train on.
        validation_images: other images, by which the weights are selected and measured.
        workdir: folder of the training, which then holds the generator too.
        config: the configuration of the recipe's trainer; None takes the recipe's own.
        classes: names of the k classes.
        sides: the classes of side 0, and the classes of side 1.
        model: the name of the classifier in messages.
        num_workers: processes that read the training images, as ``trainers.train`` has it.
        progress: shows a progress bar.

    Returns:
        The generator, and what it reaches on the validation images.

    Raises:
        InputError: as ``trainers.train``.
    """
    recipe, images = RECIPES[name], np.asarray(validation_images)
    shape = tuple(images.shape[1:])
    config = fit_to_images(recipe.config if config is None else config, shape)
    held = as_pytree(classifier)
    trained = train(
        recipe.trainer,
        config,
        source,
        train_indices,
        {"image": images},
        workdir,
        classifier=two_sides(held, *sides),
        num_workers=num_workers,
        progress=progress,
    )
    modules: Sequence[nnx.Module] = trained if isinstance(trained, tuple) else (trained,)
    options = dict(recipe.options_of(config))
    if config.run.compute_dtype != "float32":
        options["compute_dtype"] = config.run.compute_dtype
    generator = trained_generator(
        recipe.method_of(config),
        [Network(type(module).__name__, options, module) for module in modules],
        held,
        classes=classes,
        sides=sides,
        shape=shape,
        model=model,
        training={"trainer": recipe.trainer.name, "config": asdict(config)},
    )
    save_generator(workdir, generator)
    return generator, measure_generator(generator, held, images, config.run.eval_batch_size)


def measure_generator(
    generator: TrainedGenerator,
    classifier: Classifier,
    images: Float[np.ndarray, "m h w c"],
    batch_size: int,
) -> GeneratorAnswers:
    """Measures what a generator reaches on images: decisions turned over, and decisions kept.

    Args:
        generator: the generator of the classifier.
        classifier: one image -> logits of all classes.
        images: values in [0, 1].
        batch_size: images computed at once.
    """
    drawings = draw_generators(
        [generator], classifier, shape=images.shape[1:], classes=generator.classes
    )
    drawing = next(iter(drawings.values()))
    explain = Partial(draw_pair, drawing)
    return generator_answers(explain, drawing.of_sides, images, batch_size=batch_size)
