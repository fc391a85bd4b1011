"""Training of an adversary that is independent of every explanation, a translator into the other
class's domain (Fixed-Point GAN: Siddiquee et al. 2019, "Learning Fixed Points in Generative
Adversarial Networks"; as released).

The domains are what a frozen classifier decides, not the labels; its cross-entropy is a further
term of the loss. Each step updates the critic several times, on images of its own each time, and
then the translator once, on the last of them. Deviations: each batch has as many images of either
decision; the learning rate falls at every step of the second half of the training, where the
released code lowers it every 1000 updates.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

from cfx_jax.backend import short_scan
from cfx_jax.callables import as_pytree
from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.losses.fixed_point import Translations, critic_terms, fixed_point_terms
from cfx_jax.models.views.activations import unit_clip_leading_back
from cfx_jax.objectives import Classifier, decision
from cfx_jax.parallel import data_mesh, map_examples
from trainers.decisions import decide_validation, decided_source
from trainers.descent import descend
from trainers.fixed_point_config import AdamConfig as AdamConfig
from trainers.fixed_point_config import Config as Config
from trainers.fixed_point_config import Networks as Networks
from trainers.fixed_point_config import choose_networks, make_optimiser
from trainers.identity import describe_classifier, describe_data, digest
from trainers.nnx_views import (
    ModelFactory,
    evaluation_view,
    graph_of,
    joined,
    trained,
    variables_of,
)
from trainers.result import load_state
from trainers.running import Batch, Evaluate, State, Step, batches_of, check_batch_size, run

_TRAINER = "fixed_point"


def init(key: PRNGKeyArray, config: Config, *, model: ModelFactory | None = None) -> State:
    """The state before the first step.

    Args:
        key: draws the initial weights.
        config: names the networks.
        model: makes other ``Networks`` from ``nnx.Rngs``; None for the configuration's.

    Returns:
        Parameters, other variables, and fresh states of the two Adams.

    Raises:
        InputError: numbers out of range.
    """
    params, rest = variables_of(choose_networks(config, model)(nnx.Rngs(key)))
    return State(
        params, rest, {part: adam.init(params[part]) for part, adam in _optimisers(config).items()}
    )


def make_step(config: Config, classifier: Classifier, *, model: ModelFactory | None = None) -> Step:
    """One step of training.

    Args:
        config: the training.
        classifier: one image -> two logits, frozen; an argument of the compiled step.
        model: as in ``init``.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image``
        ``(2 b critic_steps, h, w, c)``, decided 0, 1, 0, 1 .... Metrics: ``loss`` of the
        translator, each of its weighted terms and what ``answers`` gives, and the critic's
        ``critic_real``, ``critic_fake``, ``critic_domain`` and ``critic_penalty``, means over its
        updates.

    Raises:
        InputError: a number out of its range.
    """
    _check(config)
    graphdef, optimisers = graph_of(choose_networks(config, model)), _optimisers(config)

    def step(
        frozen: Classifier, state: State, key: PRNGKeyArray, batch: Batch
    ) -> tuple[State, dict[str, Array]]:
        shares = _shares(batch["image"], config.critic_steps)
        predicted = jnp.arange(shares.shape[1]) % 2
        translator = state.params["translator"]

        def view(translator: Any, critic: Any) -> Any:
            return _view(config, graphdef, {"translator": translator, "critic": critic}, state.rest)

        def critic_loss(
            critic: Any, key: PRNGKeyArray, real: Array, fake: Array
        ) -> tuple[Array, dict[str, Array]]:
            terms = critic_terms(
                key,
                view(translator, critic).critic,
                real,
                fake,
                predicted,
                domain=config.weights.domain,
                penalty=config.penalty,
            )
            return sum(terms.values(), jnp.zeros(())), terms

        def update_critic(
            carry: tuple[Any, Any], given: tuple[PRNGKeyArray, Array, Array]
        ) -> tuple[Any, dict[str, Array]]:
            critic, moments = carry
            gradients, terms = jax.grad(critic_loss, has_aux=True)(critic, *given)
            return descend(optimisers["critic"], critic, moments, gradients), terms

        def translator_loss(translator: Any) -> tuple[Array, dict[str, Array]]:
            values = _judge(config, view(translator, critic), frozen, shares[-1], predicted)
            return values["loss"], values

        moments = dict(state.opt_state)
        translate = view(translator, state.params["critic"]).translator
        fakes = jax.vmap(lambda images: translate(images, 1 - predicted))(shares)
        (critic, moments["critic"]), terms = short_scan(
            update_critic,
            (state.params["critic"], moments["critic"]),
            (jax.random.split(key, config.critic_steps), shares, fakes),
        )
        gradients, metrics = jax.grad(translator_loss, has_aux=True)(translator)
        translator, moments["translator"] = descend(
            optimisers["translator"], translator, moments["translator"], gradients
        )
        metrics |= {f"critic_{name}": values.mean() for name, values in terms.items()}
        return State(
            joined({"translator": translator, "critic": critic}), state.rest, moments
        ), metrics

    return Partial(step, as_pytree(classifier))


def answers(
    images: Float[Array, "b h w c"],
    translations: Translations,
    predicted: Int[Array, " b"],
    logits: tuple[Float[Array, "b 2"], Float[Array, "b 2"]],
) -> dict[str, Array]:
    """What translations reach.

    Args:
        images: in [0, 1].
        translations: of these images.
        predicted: the class that the classifier decides on for each image.
        logits: the classifier's, of ``crossed`` and of ``same``.

    Returns:
        ``turned``, the share of crossed images with the other decision; ``kept``, that of
        same-domain ones with the images' own; ``change``, the mean magnitude of what was changed to
        cross, in units of [0, 1]; ``moved``, the same of images translated into their own domain,
        which is to be 0.
    """
    crossed, same = (decision(each) for each in logits)
    return {
        "turned": (crossed != predicted).mean(),
        "kept": (same == predicted).mean(),
        "change": jnp.abs(translations.crossed - images).mean(),
        "moved": jnp.abs(translations.same - images).mean(),
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
        ``state -> metrics``, the translator's of the step with ``validation_`` before their names,
        each a mean over the two decisions; ``validation_turned_0`` and ``validation_turned_1`` of
        either, and ``validation_score``, the lower one.

    Raises:
        InputError: images outside [0, 1], or all of one decision.
    """
    images, decisions = decide_validation(
        classifier, validation, batch_size=config.eval_batch_size, mesh=mesh
    )
    graphdef, frozen = graph_of(choose_networks(config, model)), as_pytree(classifier)
    examples = {"image": images, "predicted": decisions}

    def evaluate(state: State) -> dict[str, float]:
        shared = (evaluation_view(graphdef, state.params, state.rest), frozen)
        values = map_examples(
            _Judge(config), shared, examples, batch_size=config.eval_batch_size, mesh=mesh
        )
        groups = [
            {name: float(each[decisions == c].mean()) for name, each in values.items()}
            for c in (0, 1)
        ]
        means = {f"validation_{name}": (groups[0][name] + groups[1][name]) / 2 for name in values}
        turned = {f"validation_turned_{c}": group["turned"] for c, group in enumerate(groups)}
        return means | turned | {"validation_score": min(turned.values())}

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
) -> nnx.Module:
    """Trains the translator, or goes on with a training that was stopped; a finished one is only
    read.

    Args:
        config: the training.
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
        The selected translator, for ``models.translation_of`` and ``counterfactuals.fixed_point``.

    Raises:
        InputError: as ``training.fit``; an unknown name; numbers out of range; validation images
            that cannot be used; a classifier that decides on one class alone.
    """
    check_choice(config.select, ("turned", "none"), name="select")
    mesh = data_mesh() if mesh is None else mesh
    check_batch_size(config.batch_size, mesh)
    step = make_step(config, classifier, model=model)
    evaluate = make_evaluate(config, classifier, validation, model=model, mesh=mesh)
    images = decided_source(
        classifier,
        source,
        train_indices,
        balanced=True,
        batch_size=config.eval_batch_size,
        mesh=mesh,
    )
    selected = run(
        _TRAINER,
        config,
        step,
        lambda key: init(key, config, model=model),
        batches_of(
            images,
            np.arange(len(images)),
            batch_size=2 * config.batch_size * config.critic_steps,
            seed=config.seed,
            balanced=True,
            augment=augment,
        ),
        workdir,
        evaluate=evaluate,
        select=None if config.select == "none" else "validation_score",
        data={
            **describe_data(source, train_indices, {"image": validation["image"]}, augment, None),
            "decisions": digest(images.labels),
            "classifier": describe_classifier(classifier, validation["image"]),
        },
        mesh=mesh,
        progress=progress,
    )
    return _translator(config, selected, model)


def load(
    workdir: str | Path, *, model: ModelFactory | None = None, unfinished: bool = False
) -> nnx.Module:
    """The selected translator of a training.

    Args:
        workdir: folder of the training.
        model: the factory that the training was given, if any.
        unfinished: accept the best translator so far of a training that was stopped.

    Returns:
        The translator, ``(images, domain) -> images``.

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
    return _translator(config, state, model)


def _check(config: Config) -> None:
    if not config.penalty >= 0:
        raise InputError(f"penalty: expected a weight of at least 0, got {config.penalty}")
    if config.critic_steps < 1:
        raise InputError(f"critic_steps: expected at least 1, got {config.critic_steps}")


def _optimisers(config: Config) -> dict[str, optax.GradientTransformation]:
    return {
        "translator": make_optimiser(config, updates=1),
        "critic": make_optimiser(config, updates=config.critic_steps),
    }


def _shares(images: Float[Array, "n h w c"], number: int) -> Float[Array, "number b h w c"]:
    """Images decided 0, 1, 0, 1 ... as batches that are so too; each device keeps its own."""
    pairs = images.reshape(-1, number, 2, *images.shape[1:])
    return jnp.moveaxis(pairs, 1, 0).reshape(number, -1, *images.shape[1:])


def _view(config: Config, graphdef: Any, parts: Mapping[str, Any], rest: Any) -> Any:
    """The networks for a step; clipped pixels have gradients that lead them back."""
    networks = evaluation_view(graphdef, joined(parts), rest)
    if config.limit != "clip":
        return networks
    return nnx.with_attributes(networks, limit=unit_clip_leading_back, raise_if_not_found=False)


def _translator(config: Config, state: State, model: ModelFactory | None) -> nnx.Module:
    networks = trained(choose_networks(config, model), state.params, state.rest)
    return networks.translator


@dataclass(frozen=True)
class _Judge:
    """Loss, terms and answers of one image; equal configurations compile once."""

    config: Config

    def __call__(
        self, shared: tuple[Any, Classifier], example: Mapping[str, Array]
    ) -> dict[str, Array]:
        return _judge(self.config, *shared, example["image"][None], example["predicted"][None])


def _judge(
    config: Config,
    networks: Any,
    classifier: Classifier,
    images: Float[Array, "b h w c"],
    predicted: Int[Array, " b"],
) -> dict[str, Array]:
    """Loss of the translator, its terms and answers."""
    translate, critic = networks.translator, networks.critic
    crossed, same = translate(images, 1 - predicted), translate(images, predicted)
    translations = Translations(
        crossed, translate(crossed, predicted), same, translate(same, predicted)
    )
    logits = jax.vmap(classifier)(crossed), jax.vmap(classifier)(same)
    verdicts = critic(crossed), critic(same)
    terms = fixed_point_terms(
        images, translations, predicted, verdicts, logits[0], weights=config.weights
    )
    loss = sum(terms.values(), jnp.zeros(()))
    return {"loss": loss, **terms, **answers(images, translations, predicted, logits)}
