"""Training of the generators of SyCE and CyCE, one for each class that the classifier decides on
(Charachon et al. 2021, "Leveraging Conditional Generative Models in a General Explanation Framework
of Classifier Decisions"; as released).

The classifier is frozen and in evaluation mode; its decisions, not the labels, group the images,
once, before the first step. Each step sees as many images of either decision: generators first,
with the discriminators as they are, then both discriminators, against the adversaries that the
generators just made. Deviations: the smaller group is extended by random duplicates, where the
released code stops an epoch at its end; the training does not end early where the learning rate has
reached its smallest; images are not rescaled to their own range; pixels that a generator draws
outside of [0, 1] are led back (``unit_clip_leading_back``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jax.tree_util import Partial
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.callables import as_pytree
from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.losses.cycle import cycle_terms, discriminator_terms
from cfx_jax.metrics import psnr_of_mse
from cfx_jax.models.views.activations import unit_clip_leading_back
from cfx_jax.objectives import Classifier, decision
from cfx_jax.parallel import data_mesh, map_examples
from trainers.cycle_config import CYCE_CONFIG as CYCE_CONFIG
from trainers.cycle_config import Config as Config
from trainers.cycle_config import Networks as Networks
from trainers.cycle_config import choose_networks as choose_networks
from trainers.decisions import decide_validation, decided_source
from trainers.epochs import by_steps
from trainers.identity import describe_classifier, describe_data, digest
from trainers.nnx_views import (
    ModelFactory,
    evaluation_view,
    graph_of,
    joined,
    trained,
    variables_of,
)
from trainers.plateau import Plateau, RatedBatches
from trainers.result import load_state
from trainers.running import Batch, Evaluate, State, Step, batches_of, check_batch_size, run

_TRAINER = "cycle"
_TURNS: dict[str, tuple[tuple[int, ...], ...]] = {"separated": ((0,), (1,)), "together": ((0, 1),)}
"""The classes whose images each of a step's updates of the generators sees."""
_SELECTED = {"loss": "validation_score", "answers": "validation_answers", "none": None}
"""The metric whose highest value is kept."""

_WORST_ERROR = 1e-10
"""The mean square that the peak signal-to-noise ratio of equal images is computed with: 100 dB."""


def init(key: PRNGKeyArray, config: Config, *, model: ModelFactory | None = None) -> State:
    """The state before the first step.

    Args:
        key: draws the initial weights.
        config: names the networks.
        model: makes other ``Networks`` from ``nnx.Rngs``; None for the configuration's.

    Returns:
        Parameters, other variables, and fresh states of the two Adams.

    Raises:
        InputError: numbers of filters out of range.
    """
    params, rest = variables_of(choose_networks(config, model)(nnx.Rngs(key)))
    return State(
        params,
        rest,
        {part: _adam().init(params[part]) for part in ("generators", "discriminators")},
    )


def make_step(config: Config, classifier: Classifier, *, model: ModelFactory | None = None) -> Step:
    """One step of training.

    Args:
        config: the training.
        classifier: one image -> two logits, frozen; an argument of the compiled step.
        model: as in ``init``.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image``
        ``(2 b, h, w, c)``, decided 0, 1, 0, 1
        ..., and ``learning_rate`` ``(2 b,)``, one value. Metrics, means over the two decisions: ``loss`` of the
        generators, each of its weighted terms, ``turned``, ``kept``, ``psnr`` and ``saturated``
        (see ``answers``), and the discriminators' ``discriminator_real``, ``discriminator_fake``
        and ``discriminator_penalty``.

    Raises:
        InputError: an unknown method or update, weights of the other method, or a penalty below 0.
    """
    _check(config)
    graphdef = graph_of(choose_networks(config, model))

    def step(
        frozen: Classifier, state: State, key: PRNGKeyArray, batch: Batch
    ) -> tuple[State, dict[str, Array]]:
        groups, rate = (batch["image"][0::2], batch["image"][1::2]), batch["learning_rate"][0]
        parts, moments = (
            {name: state.params[name] for name in state.opt_state},
            dict(state.opt_state),
        )
        judged: list[tuple[dict[str, Array], Array]] = []

        def generator_loss(generators: Any, decisions: tuple[int, ...]) -> tuple[Array, list[Any]]:
            networks = _view(graphdef, {**parts, "generators": generators}, state.rest)
            found = [
                _judge(config, networks, frozen, decided, groups[decided]) for decided in decisions
            ]
            return sum((values["loss"] for values, _ in found), jnp.zeros(())), found

        def discriminator_loss(discriminators: Any) -> tuple[Array, dict[str, Array]]:
            networks = _view(graphdef, {**parts, "discriminators": discriminators}, state.rest)
            fakes = [adversarial for _, adversarial in judged]
            terms = _mean(
                [
                    # What is real for D_c are the images decided c, what is not are the adversaries
                    # of the others.
                    discriminator_terms(
                        each_key,
                        partial(_realness, discriminator),
                        real,
                        fake,
                        penalty=config.penalty,
                    )
                    for each_key, discriminator, real, fake in zip(
                        jax.random.split(key),
                        networks.discriminators,
                        groups,
                        fakes[::-1],
                        strict=True,
                    )
                ]
            )
            return 2 * sum(terms.values(), jnp.zeros(())), terms

        for decisions in _TURNS[config.update]:
            (_, found), gradients = jax.value_and_grad(generator_loss, has_aux=True)(
                parts["generators"], decisions
            )
            judged += found
            parts["generators"], moments["generators"] = _updated(
                parts["generators"], moments["generators"], gradients, rate
            )
        (_, verdicts), gradients = jax.value_and_grad(discriminator_loss, has_aux=True)(
            parts["discriminators"]
        )
        parts["discriminators"], moments["discriminators"] = _updated(
            parts["discriminators"], moments["discriminators"], gradients, rate
        )
        metrics = _mean([values for values, _ in judged])
        metrics |= {f"discriminator_{name}": value for name, value in verdicts.items()}
        return State(joined(parts), state.rest, moments), metrics

    return Partial(step, as_pytree(classifier))


def answers(
    decided: int,
    images: Float[Array, "b h w c"],
    adversarial: tuple[Float[Array, "b h w c"], Float[Array, "b 2"]],
    returned: tuple[Float[Array, "b h w c"], Float[Array, "b 2"]],
) -> dict[str, Array]:
    """What the generated images of one decision reach.

    Args:
        decided: the decision, 0 or 1.
        images: in [0, 1].
        adversarial: x_a and the classifier's logits of it.
        returned: the image that the training brings back to x, x_s in SyCE and x_cy in CyCE, and
            its logits.

    Returns:
        ``turned``, the share of adversaries with the other decision; ``kept``, that of returned
        images with the images' own; ``psnr``, the mean peak signal-to-noise ratio of returned
        images in dB, at most 100; ``saturated``, the share of the adversaries' values at 0 or 1.
    """
    error = jnp.square(images - returned[0]).mean(axis=(1, 2, 3))
    return {
        "turned": (decision(adversarial[1]) != decided).mean(),
        "kept": (decision(returned[1]) == decided).mean(),
        "psnr": psnr_of_mse(jnp.maximum(error, _WORST_ERROR)).mean(),
        "saturated": ((adversarial[0] <= 0) | (adversarial[0] >= 1)).mean(),
    }


def make_evaluate(
    config: Config,
    classifier: Classifier,
    validation: Mapping[str, np.ndarray],
    *,
    model: ModelFactory | None = None,
    mesh: Mesh | None = None,
) -> Evaluate:
    """The validation of a state.

    Args:
        config: of the training.
        classifier: the frozen one.
        validation: ``image`` ``(n, h, w, c)`` in [0, 1].
        model: as in ``init``.
        mesh: devices to spread the images over.

    Returns:
        ``state -> metrics``, the generators' of the step with ``validation_`` before their names,
        each a mean over the two decisions; ``validation_score``, the negative loss; and
        ``validation_answers``, the lowest of the shares ``turned`` and ``kept`` of either decision.

    Raises:
        InputError: images outside [0, 1], or all of one decision.
    """
    images, decisions = decide_validation(
        classifier, validation, batch_size=config.eval_batch_size, mesh=mesh
    )
    graphdef, frozen = graph_of(choose_networks(config, model)), as_pytree(classifier)

    def evaluate(state: State) -> dict[str, float]:
        shared, size = (
            (evaluation_view(graphdef, state.params, state.rest), frozen),
            config.eval_batch_size,
        )
        values = [
            map_examples(
                _Judge(config, decided),
                shared,
                images[decisions == decided],
                batch_size=size,
                mesh=mesh,
            )
            for decided in (0, 1)
        ]
        groups = [{name: float(each.mean()) for name, each in found.items()} for found in values]
        means = {f"validation_{name}": each for name, each in _mean(groups).items()}
        lowest = min(group[name] for group in groups for name in ("turned", "kept"))
        return means | {"validation_score": -means["validation_loss"], "validation_answers": lowest}

    return evaluate


def train(
    config: Config,
    classifier: Classifier,
    source: Any,
    train_indices: Int[np.ndarray, " n"],
    validation: Mapping[str, np.ndarray],
    workdir: str | Path,
    *,
    model: ModelFactory | None = None,
    augment: Callable[..., Any] | None = None,
    mesh: Mesh | None = None,
    progress: bool = True,
) -> tuple[nnx.Module, nnx.Module]:
    """Trains the generators, or goes on with a training that was stopped; a finished one is only
    read.

    Args:
        config: the training; lengths of 0 steps follow from its epochs and the number of items of
            the rarer decision.
        classifier: one image -> two logits, such as ``models.per_image(model)``; it is not changed.
        source: random-access data set whose items hold ``image``.
        train_indices: the items to train on; the classifier decides on each of them first, without
            augmentation.
        validation: ``image`` ``(m, h, w, c)`` in [0, 1].
        workdir: folder of this training.
        model: makes ``Networks`` from ``nnx.Rngs``; None for the configuration's.
        augment: ``(image, rng) -> image``, applied to training images.
        mesh: devices to train on; None for all.
        progress: shows a progress bar.

    Returns:
        g_0 and g_1 of the selected state; ``tuple(map(models.generator_of, ...))`` makes them
        generators of one image.

    Raises:
        InputError: as ``training.fit``; an unknown name; numbers out of range; validation images
            that cannot be used; a classifier that decides on one class alone.
    """
    check_choice(config.select, tuple(_SELECTED), name="select")
    mesh = data_mesh() if mesh is None else mesh
    check_batch_size(config.batch_size, mesh)
    plateau, step = Plateau(config.optimiser), make_step(config, classifier, model=model)
    evaluate = make_evaluate(config, classifier, validation, model=model, mesh=mesh)
    images = decided_source(
        classifier,
        source,
        train_indices,
        balanced=True,
        batch_size=config.eval_batch_size,
        mesh=mesh,
    )
    config = by_steps(config, num_images=int(np.bincount(images.labels).min()))
    batches = batches_of(
        images,
        np.arange(len(images)),
        batch_size=2 * config.batch_size,
        seed=config.seed,
        balanced=True,
        augment=augment,
    )

    def evaluate_and_wait(state: State) -> dict[str, float]:
        metrics = evaluate(state) | {"learning_rate": plateau.rate}
        plateau.offer(metrics["validation_loss"])
        return metrics

    selected = run(
        _TRAINER,
        config,
        step,
        lambda key: init(key, config, model=model),
        RatedBatches(batches, plateau),
        workdir,
        evaluate=evaluate_and_wait,
        select=_SELECTED[config.select],
        data={
            **describe_data(source, train_indices, {"image": validation["image"]}, augment, None),
            "decisions": digest(images.labels),
            "classifier": describe_classifier(classifier, validation["image"]),
        },
        mesh=mesh,
        progress=progress,
    )
    return _generators(config, selected, model)


def load(
    workdir: str | Path, *, model: ModelFactory | None = None, unfinished: bool = False
) -> tuple[nnx.Module, nnx.Module]:
    """The selected generators of a training.

    Args:
        workdir: folder of the training.
        model: the factory that the training was given, if any.
        unfinished: accept the best generators so far of a training that was stopped.

    Returns:
        g_0 and g_1.

    Raises:
        InputError: no such training, no readable checkpoint, another model, or a training that is
            not finished.
    """
    config, state = load_state(
        _TRAINER,
        Config,
        workdir,
        lambda key, config: init(key, config, model=model),
        unfinished=unfinished,
    )
    return _generators(config, state, model)


def _check(config: Config) -> None:
    check_choice(config.method, ("syce", "cyce"), name="method")
    check_choice(config.update, tuple(_TURNS), name="update")
    if not config.penalty >= 0:
        raise InputError(f"penalty: expected a weight of at least 0, got {config.penalty}")
    if (config.method == "syce") != (config.weights.symmetric > 0):
        wanted = {
            "syce": "a weight of `symmetric` above 0, as SYCE has",
            "cyce": "none of `symmetric`, as CYCE has",
        }
        raise InputError(
            f"weights: expected {wanted[config.method]}, for method {config.method!r}, got"
            f" {config.weights}"
        )


def _adam() -> optax.GradientTransformation:
    """Adam's directions with Keras' epsilon, without a learning rate."""
    return optax.scale_by_adam(eps=1e-7)


def _updated(params: Any, moments: Any, gradients: Any, rate: Float[Array, ""]) -> tuple[Any, Any]:
    directions, moments = _adam().update(gradients, moments)
    return optax.apply_updates(params, jax.tree.map(lambda each: -rate * each, directions)), moments


def _view(graphdef: Any, parts: Mapping[str, Any], rest: Any) -> Any:
    """The networks for a step: in inference mode, as released, and with gradients that lead clipped
    pixels back.
    """
    networks = evaluation_view(graphdef, joined(parts), rest)
    return nnx.with_attributes(networks, limit=unit_clip_leading_back, raise_if_not_found=False)


def _generators(
    config: Config, state: State, model: ModelFactory | None
) -> tuple[nnx.Module, nnx.Module]:
    networks = trained(choose_networks(config, model), state.params, state.rest)
    return networks.generators[0], networks.generators[1]


@dataclass(frozen=True)
class _Judge:
    """Loss, terms and answers of one image of a decision; equal configurations compile once."""

    config: Config
    decided: int

    def __call__(
        self, shared: tuple[Any, Classifier], image: Float[Array, "h w c"]
    ) -> dict[str, Array]:
        return _judge(self.config, *shared, self.decided, image[None])[0]


def _judge(
    config: Config,
    networks: Any,
    classifier: Classifier,
    decided: int,
    images: Float[Array, "b h w c"],
) -> tuple[dict[str, Array], Float[Array, "b h w c"]]:
    """Loss, terms and answers of images of one decision, and their adversaries."""
    own, other = networks.generators[decided], networks.generators[1 - decided]
    adversarial = own(images)
    generated = adversarial, own(adversarial), other(adversarial)
    logits = [jax.vmap(classifier)(each) for each in generated]
    terms = cycle_terms(
        images,
        generated,
        jnp.full(len(images), decided),
        (logits[0], logits[1], logits[2]),
        networks.discriminators[1 - decided](adversarial),
        weights=config.weights,
    )
    returned = 1 if config.method == "syce" else 2
    reached = answers(
        decided, images, (adversarial, logits[0]), (generated[returned], logits[returned])
    )
    return {"loss": sum(terms.values(), jnp.zeros(())), **terms, **reached}, adversarial


def _realness(discriminator: Any, image: Float[Array, "h w c"]) -> Float[Array, ""]:
    return discriminator(image[None])[0]


def _mean(both: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of each metric over the two decisions."""
    return {name: (both[0][name] + both[1][name]) / 2 for name in both[0]}
