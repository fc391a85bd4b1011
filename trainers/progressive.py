"""Training of an explainer by progressive exaggeration (Singla et al. 2020, "Explanation by
Progressive Exaggeration", section 3, and the authors' code).

The classifier is frozen; the bin of its probability at each training image is computed once, and
the labels of the data play no part. Each step updates the discriminator several times, on images
and random desired bins of their own each time, and then encoder and decoder once, on the last of
them. All norms of the generator use the statistics of the batch; their running averages, which
explanations use, move once in a step, with what encodes x and draws x_t in the generator's update.
The vectors of spectral norm move once with each update of the discriminator, on its generated
images. Deviations: a validation can select the weights; an encoder that is told a bin is told that
of x throughout, so that one encoding serves all drawings, where the released one is told t when it
encodes x for x_t.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.sharding import Mesh
from jax.tree_util import Partial
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.backend import short_scan
from cfx_jax.callables import as_pytree
from cfx_jax.losses.progressive import (
    Exaggerations,
    compatibility,
    desired_probability,
    discriminator_terms,
    generator_terms,
)
from cfx_jax.models.generators.progressive import exaggerator_of
from cfx_jax.models.weights.warm_start import warm_start
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import data_mesh, map_examples
from trainers.bins import binned_source
from trainers.decisions import decide_validation
from trainers.descent import descend
from trainers.identity import describe_classifier, describe_data, digest
from trainers.nnx_views import (
    ModelFactory,
    evaluation_view,
    graph_of,
    joined,
    trained,
    training_view,
    variables_of,
)
from trainers.progressive_config import CODE_HEAD as CODE_HEAD
from trainers.progressive_config import PAPER_FIXED as PAPER_FIXED
from trainers.progressive_config import Config as Config
from trainers.progressive_config import Networks as Networks
from trainers.progressive_config import check_config, choose_networks, make_optimiser
from trainers.progressive_validation import summary, sweep
from trainers.result import load_state
from trainers.running import Batch, Evaluate, State, Step, batches_of, check_batch_size, run

_TRAINER = "progressive"
_PARTS = ("generator", "discriminator")


def init(
    key: PRNGKeyArray,
    config: Config,
    *,
    model: ModelFactory | None = None,
    start: nnx.Module | None = None,
) -> State:
    """The state before the first step.

    Args:
        key: draws the initial weights.
        config: names the networks.
        model: makes other ``Networks`` from ``nnx.Rngs``; None for the configuration's.
        start: a generator whose parameters and batch statistics are taken, such as one that
            explains another classifier; it is not changed. The discriminator starts at random.

    Returns:
        Parameters, other variables, and fresh states of the two Adams.

    Raises:
        InputError: numbers out of range; a start of other sizes, or with nothing in common.
    """
    networks: Any = choose_networks(config, model)(nnx.Rngs(key))
    if start is not None:
        networks.generator = warm_start(networks.generator, start).model
    params, rest = variables_of(networks)
    return State(params, rest, {part: make_optimiser(config).init(params[part]) for part in _PARTS})


def make_step(config: Config, classifier: Classifier, *, model: ModelFactory | None = None) -> Step:
    """One step of training.

    Args:
        config: the training.
        classifier: one image -> two logits, frozen; an argument of the compiled step.
        model: as in ``init``.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image``
        ``(b critic_steps, h, w, c)`` and ``label``, the bin of each. Metrics: ``loss`` of the
        generator, each of its weighted terms, ``divergence`` in nats and ``error``, both of the
        classifier's probability of x_t from the desired one; and the discriminator's
        ``discriminator_real`` and ``discriminator_fake``, means over its updates.

    Raises:
        InputError: an unknown name, or a number out of its range.
    """
    check_config(config)
    graphdef, adam = graph_of(choose_networks(config, model)), make_optimiser(config)
    critic_adam = make_optimiser(config, updates=config.critic_steps)

    def step(
        frozen: Classifier, state: State, key: PRNGKeyArray, batch: Batch
    ) -> tuple[State, dict[str, Array]]:
        share_key, target_key = jax.random.split(key)
        images, sources = _shares(share_key, batch, config.critic_steps)
        targets = jax.random.randint(target_key, sources.shape, 0, config.num_bins)
        generator = state.params["generator"]

        def networks_of(generator: Any, discriminator: Any, rest: Any) -> Any:
            params = joined({"generator": generator, "discriminator": discriminator})
            return training_view(graphdef, params, rest)

        def draw(generator: Any, index: int) -> tuple[tuple[Array, Array], Any]:
            networks = networks_of(generator, state.params["discriminator"], state.rest)
            drawn = _exaggerate(networks.generator, images[index], sources[index], targets[index])
            return drawn, variables_of(networks)[1]

        # The discriminator's last images are the generator's, drawn once for both; only then are
        # running averages kept.
        last, pull_back, averages = jax.vjp(
            lambda generator: draw(generator, -1), generator, has_aux=True
        )
        fakes = jnp.stack(
            [*(draw(generator, index)[0][1] for index in range(len(images) - 1)), last[1]]
        )

        def discriminator_loss(
            discriminator: Any, rest: Any, given: tuple[Array, Array, Array, Array]
        ) -> Any:
            networks = networks_of(generator, discriminator, rest)
            terms = _discriminate(config, networks.discriminator, *given)
            return sum(terms.values(), jnp.zeros(())), (variables_of(networks)[1], terms)

        def update_discriminator(
            carry: tuple[Any, Any, Any], given: tuple[Array, Array, Array, Array]
        ) -> Any:
            discriminator, moments, rest = carry
            gradients, (rest, terms) = jax.grad(discriminator_loss, has_aux=True)(
                discriminator, rest, given
            )
            return (*descend(critic_adam, discriminator, moments, gradients), rest), terms

        moments = dict(state.opt_state)
        (discriminator, moments["discriminator"], rest), terms = short_scan(
            update_discriminator,
            (state.params["discriminator"], moments["discriminator"], averages),
            (fakes, images, sources, targets),
        )

        def generator_loss(
            generator: Any, drawn: tuple[Array, Array]
        ) -> tuple[Array, dict[str, Array]]:
            networks = networks_of(generator, discriminator, rest)
            metrics = _judge(config, networks, frozen, drawn, images[-1], sources[-1], targets[-1])
            return metrics["loss"], metrics

        (direct, through_drawn), metrics = jax.grad(generator_loss, argnums=(0, 1), has_aux=True)(
            generator, last
        )
        gradients = jax.tree.map(jnp.add, direct, *pull_back(through_drawn))
        generator, moments["generator"] = descend(adam, generator, moments["generator"], gradients)
        metrics |= {f"discriminator_{name}": values.mean() for name, values in terms.items()}
        return State(
            joined({"generator": generator, "discriminator": discriminator}), rest, moments
        ), metrics

    return Partial(step, as_pytree(classifier))


def make_evaluate(
    config: Config,
    classifier: Classifier,
    validation: Mapping[str, np.ndarray],
    *,
    model: ModelFactory | None = None,
    mesh: Mesh | None = None,
) -> Evaluate:
    """The validation of a state, by the explanations of each image for all bins.

    Args:
        config: of the training.
        classifier: the frozen one.
        validation: ``image`` ``(n, h, w, c)`` in [0, 1].
        model: as in ``init``.
        mesh: devices to spread the images over.

    Returns:
        ``state -> metrics`` as ``trainers.progressive_validation.summary`` gives them.

    Raises:
        InputError: images outside [0, 1], another number of classes, or all images of one decision.
    """
    size = config.eval_batch_size
    images, decisions = decide_validation(classifier, validation, batch_size=size, mesh=mesh)
    graphdef, frozen = graph_of(choose_networks(config, model)), as_pytree(classifier)

    def evaluate(state: State) -> dict[str, float]:
        networks: Any = evaluation_view(graphdef, state.params, state.rest)
        shared = exaggerator_of(networks.generator), frozen
        return summary(map_examples(sweep, shared, images, batch_size=size, mesh=mesh), decisions)

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
    start: nnx.Module | None = None,
    augment: Callable[..., Any] | None = None,
    mesh: Mesh | None = None,
    progress: bool = True,
) -> nnx.Module:
    """Trains encoder and decoder, or goes on with a training that was stopped; a finished one is
    only read.

    Args:
        config: the training.
        classifier: one image -> two logits, such as ``models.per_image(model)``, or
            ``models.one_label`` of a network of several labels; it is not changed.
        source: random-access data set whose items hold ``image``.
        train_indices: the items to train on; the classifier gives each its bin first, without
            augmentation.
        validation: ``image`` ``(m, h, w, c)`` in [0, 1].
        workdir: folder of this training.
        model: makes ``Networks`` from ``nnx.Rngs``; None for the configuration's.
        start: as in ``init``.
        augment: ``(image, rng) -> image``, applied to training images, which keep their bin.
        mesh: devices to train on; None for all.
        progress: shows a progress bar.

    Returns:
        The selected generator, for ``models.exaggerator_of`` and then
        ``counterfactuals.progressive``.

    Raises:
        InputError: as ``training.fit`` and ``init``; an unknown name; validation images that cannot
            be used; a classifier of other than two classes, or that never leaves one bin.
    """
    mesh = data_mesh() if mesh is None else mesh
    check_batch_size(config.batch_size, mesh)
    step = make_step(config, classifier, model=model)
    evaluate = make_evaluate(config, classifier, validation, model=model, mesh=mesh)
    images = binned_source(
        classifier,
        source,
        train_indices,
        num_bins=config.num_bins,
        batch_size=config.eval_batch_size,
        mesh=mesh,
    )
    selected = run(
        _TRAINER,
        config,
        step,
        lambda key: init(key, config, model=model, start=start),
        batches_of(
            images,
            np.arange(len(images)),
            batch_size=config.batch_size * config.critic_steps,
            seed=config.seed,
            balanced=config.sampling == "equal",
            augment=augment,
        ),
        workdir,
        evaluate=evaluate,
        select=None if config.select == "none" else "validation_score",
        data={
            **describe_data(source, train_indices, {"image": validation["image"]}, augment, start),
            "bins": digest(images.labels),
            "classifier": describe_classifier(classifier, validation["image"]),
        },
        mesh=mesh,
        progress=progress,
    )
    return _generator(config, selected, model)


def load(
    workdir: str | Path, *, model: ModelFactory | None = None, unfinished: bool = False
) -> nnx.Module:
    """The selected generator of a training.

    Args:
        workdir: folder of the training.
        model: the factory that the training was given, if any.
        unfinished: accept the best generator so far of a training that was stopped.

    Returns:
        The generator in evaluation mode, for ``models.exaggerator_of``.

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
    return _generator(config, state, model)


def _generator(config: Config, state: State, model: ModelFactory | None) -> nnx.Module:
    networks = trained(choose_networks(config, model), state.params, state.rest)
    return networks.generator


def _shares(
    key: PRNGKeyArray, batch: Batch, number: int
) -> tuple[Float[Array, "number b h w c"], Int[Array, "number b"]]:
    """Images and their bins as batches, one for each update.

    Of every ``number`` images in a row each goes to another batch, drawn anew: so each device keeps
    its own, and no batch has always the same bins of a source that alternates between them.
    """
    rows = len(batch["label"]) // number
    order = jnp.broadcast_to(jnp.arange(number), (rows, number))
    order = jax.random.permutation(key, order, axis=1, independent=True)

    def share(values: Array) -> Array:
        dealt = jax.vmap(lambda row, places: row[places])(
            values.reshape(rows, number, *values.shape[1:]), order
        )
        return jnp.moveaxis(dealt, 1, 0)

    return share(batch["image"]), share(batch["label"])


def _exaggerate(
    generator: Any,
    images: Float[Array, "b h w c"],
    sources: Int[Array, " b"],
    targets: Int[Array, " b"],
) -> tuple[Array, Float[Array, "b h w c"]]:
    """The latent of images, and x_t."""
    latent = generator.encode(images, sources)
    return latent, generator.decode(latent, targets)


def _discriminate(
    config: Config,
    discriminator: Any,
    fake: Float[Array, "b h w c"],
    images: Float[Array, "b h w c"],
    sources: Int[Array, " b"],
    targets: Int[Array, " b"],
) -> dict[str, Array]:
    """The discriminator's weighted terms; the vectors of spectral norm move with the generated
    images.
    """
    moving = nnx.view(discriminator, update_spectral=True, raise_if_not_found=False)
    # Real images first, so that both find the same vectors, and so the same kernels.
    real_logits = discriminator(images, sources)
    terms = discriminator_terms(real_logits, moving(fake, targets))
    return {name: config.weights.adversarial * term for name, term in terms.items()}


def _judge(
    config: Config,
    networks: Any,
    classifier: Classifier,
    exaggerated: tuple[Array, Float[Array, "b h w c"]],
    images: Float[Array, "b h w c"],
    sources: Int[Array, " b"],
    targets: Int[Array, " b"],
) -> dict[str, Array]:
    """Loss of the generator, its terms, and how far the classifier is from where it is to be."""
    generator, (latent, drawn) = networks.generator, exaggerated
    back = generator.encode(drawn, sources)
    made = Exaggerations(
        drawn, generator.decode(latent, sources), generator.decode(back, sources), (latent, back)
    )
    of_images, of_drawn, of_returned = (
        _logits(config, classifier, x) for x in (images, drawn, made.returned)
    )
    desired = desired_probability(targets, config.num_bins, target=config.target)
    terms = generator_terms(
        images,
        made,
        networks.discriminator(drawn, targets),
        (of_images, of_drawn, of_returned),
        desired,
        reconstruction=config.reconstruction,
        weights=config.weights,
    )
    error = jnp.abs(jax.nn.softmax(of_drawn)[:, 1] - desired).mean()
    loss = sum(terms.values(), jnp.zeros(()))
    return {
        "loss": loss,
        **terms,
        "divergence": compatibility(of_drawn, desired).divergence,
        "error": error,
    }


def _logits(
    config: Config, classifier: Classifier, images: Float[Array, "b h w c"]
) -> Float[Array, "b 2"]:
    logits = jax.vmap(classifier)(images)
    return logits if config.classifier_gradient else jax.lax.stop_gradient(logits)
