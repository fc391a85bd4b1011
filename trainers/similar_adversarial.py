"""Training of the generators of a similar and an adversarial image (SAGen: Charachon et al. 2020,
"Combining Similarity and Adversarial Learning to Generate Visual Explanation", section IV-C).

The classifier is frozen and in evaluation mode; its decisions, not the labels, are what the
generators learn to keep and to turn over. The default is Single AE2 (W,TV) with the filters that
suit 224 pixels, which are ours; the naive formulation (equations 1 and 2) has the adversarial
generator alone, and the image itself stands for the similar one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
from cfx_jax.checks import check_choice, check_images
from cfx_jax.losses.similar_adversarial import (
    Terms,
    naive_adversarial_terms,
    similar_adversarial_terms,
)
from cfx_jax.models.views.activations import unit_clip_leading_back
from cfx_jax.objectives import Classifier, decision
from cfx_jax.parallel import data_mesh, map_examples
from trainers.decisions import decided_source
from trainers.epochs import by_steps
from trainers.identity import describe_classifier, describe_data, digest
from trainers.nnx_views import (
    ModelFactory,
    evaluation_view,
    graph_of,
    trained,
    training_view,
    variables_of,
)
from trainers.result import load_model
from trainers.running import Batch, Evaluate, State, Step, batches_of, check_batch_size, run
from trainers.similar_adversarial_config import Config as Config
from trainers.similar_adversarial_config import PlateauConfig as PlateauConfig
from trainers.similar_adversarial_config import choose_generator as choose_generator
from trainers.similar_adversarial_config import make_optimiser as make_optimiser

_TRAINER = "similar_adversarial"


def init(key: PRNGKeyArray, config: Config, *, model: ModelFactory | None = None) -> State:
    """The state before the first step.

    Args:
        key: draws the initial weights.
        config: names the generators and the optimiser.
        model: makes other generators from ``nnx.Rngs``; None for the configuration's.

    Returns:
        Parameters, other variables and a fresh state of the optimiser.

    Raises:
        InputError: an unknown generator or norm, or numbers out of range.
    """
    params, rest = variables_of(choose_generator(config, model)(nnx.Rngs(key)))
    # The first state is the same for epochs of any length, also of one that no images have given
    # yet.
    optimiser = replace(config.optimiser, steps_per_epoch=config.optimiser.steps_per_epoch or 1)
    return State(params, rest, make_optimiser(optimiser).init(params))


def make_step(config: Config, classifier: Classifier, *, model: ModelFactory | None = None) -> Step:
    """One step of training.

    Args:
        config: the training.
        classifier: one image -> logits, frozen; an argument of the compiled step.
        model: as in ``init``.

    Returns:
        Pure ``step(state, key, batch) -> (state, metrics)``; a batch has ``image``
        ``(b, h, w, c)``. Metrics: ``loss``, each of its weighted terms, and those of ``answers``.

    Raises:
        InputError: as ``init``.
    """
    graphdef, optimiser = (
        graph_of(choose_generator(config, model)),
        make_optimiser(config.optimiser),
    )

    def step(
        frozen: Classifier, state: State, key: PRNGKeyArray, batch: Batch
    ) -> tuple[State, dict[str, Array]]:
        del key

        def loss_of(params: Any) -> tuple[Array, tuple[Any, dict[str, Array]]]:
            module = training_view(graphdef, params, state.rest)
            terms, metrics = _judge(config, module, frozen, batch["image"])
            return sum(terms.values(), jnp.zeros(())), (
                variables_of(module)[1],
                {**terms, **metrics},
            )

        (loss, (rest, metrics)), gradients = jax.value_and_grad(loss_of, has_aux=True)(state.params)
        updates, opt_state = optimiser.update(gradients, state.opt_state, state.params, value=loss)
        return State(optax.apply_updates(state.params, updates), rest, opt_state), {
            "loss": loss,
            **metrics,
        }

    return Partial(step, as_pytree(classifier))


def answers(
    logits: Float[Array, "b k"],
    similar_logits: Float[Array, "b k"],
    adversarial_logits: Float[Array, "b k"],
    adversarial: Float[Array, "b h w c"],
) -> dict[str, Array]:
    """What the generated images reach, as shares.

    Args:
        logits: the classifier's, of the images.
        similar_logits: of the similar images.
        adversarial_logits: of the adversarial images.
        adversarial: the adversarial images, in [0, 1].

    Returns:
        ``kept``, the share of similar images with the image's decision; ``turned``, the share of
        adversarial images with another; ``saturated``, the share of their pixels at 0 or 1.
    """
    decided = decision(logits)
    return {
        "kept": (decision(similar_logits) == decided).mean(),
        "turned": (decision(adversarial_logits) != decided).mean(),
        "saturated": ((adversarial <= 0) | (adversarial >= 1)).mean(),
    }


def make_evaluate(
    config: Config,
    classifier: Classifier,
    validation: Mapping[str, np.ndarray],
    *,
    model: ModelFactory | None = None,
    mesh: Mesh | None = None,
) -> Evaluate:
    """The validation of a state, with the generators in evaluation mode.

    Args:
        config: of the training.
        classifier: the frozen one.
        validation: ``image`` ``(n, h, w, c)`` in [0, 1].
        model: as in ``init``.
        mesh: devices to spread the images over.

    Returns:
        ``state -> metrics``, those of the step with ``validation_`` before their names, and
        ``validation_score``, the negative loss.

    Raises:
        InputError: images outside [0, 1].
    """
    images = validation["image"]
    check_images(jnp.asarray(images), name="validation images")
    graphdef, frozen = graph_of(choose_generator(config, model)), as_pytree(classifier)

    def evaluate(state: State) -> dict[str, float]:
        shared = (evaluation_view(graphdef, state.params, state.rest), frozen)
        values = map_examples(
            _Judge(config), shared, images, batch_size=config.eval_batch_size, mesh=mesh
        )
        means = {f"validation_{name}": float(each.mean()) for name, each in values.items()}
        return means | {"validation_score": -means["validation_loss"]}

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
    """Trains the generators, or goes on with a training that was stopped; a finished one is only
    read.

    Args:
        config: the training; lengths of 0 steps follow from its epochs and the number of items.
        classifier: one image -> logits, such as ``models.per_image(model)``; it is not changed.
        source: random-access data set whose items hold ``image``.
        train_indices: the items to train on.
        validation: ``image`` ``(m, h, w, c)`` in [0, 1].
        workdir: folder of this training.
        model: makes the generators from ``nnx.Rngs``, a module that gives the pair and has the
            twins as ``similar`` and ``adversarial``, or where naive one that gives the adversarial
            images; None for the configuration's.
        augment: ``(image, rng) -> image``, applied to training images.
        mesh: devices to train on; None for all.
        progress: shows a progress bar.

    Returns:
        The selected generators in evaluation mode, for ``models.generator_of`` and then
        ``counterfactuals.similar_adversarial``, or where naive
        ``counterfactuals.naive_adversarial``.

    Raises:
        InputError: as ``training.fit``; an unknown name; numbers out of range; validation images
            that cannot be used; balanced batches for a classifier that decides on one class alone.
    """
    check_choice(config.select, ("loss", "none"), name="select")
    mesh = data_mesh() if mesh is None else mesh
    check_batch_size(config.batch_size, mesh)
    config = by_steps(config, num_images=len(train_indices))
    images = decided_source(
        classifier,
        source,
        train_indices,
        balanced=config.balanced,
        batch_size=config.eval_batch_size,
        mesh=mesh,
    )
    selected = run(
        _TRAINER,
        config,
        make_step(config, classifier, model=model),
        lambda key: init(key, config, model=model),
        batches_of(
            images,
            np.arange(len(images)),
            batch_size=config.batch_size,
            seed=config.seed,
            balanced=config.balanced,
            augment=augment,
        ),
        workdir,
        evaluate=make_evaluate(config, classifier, validation, model=model, mesh=mesh),
        select=None if config.select == "none" else "validation_score",
        data={
            **describe_data(source, train_indices, {"image": validation["image"]}, augment, None),
            "decisions": digest(images.labels),
            "classifier": describe_classifier(classifier, validation["image"]),
        },
        mesh=mesh,
        progress=progress,
    )
    return trained(choose_generator(config, model), selected.params, selected.rest)


def load(
    workdir: str | Path, *, model: ModelFactory | None = None, unfinished: bool = False
) -> nnx.Module:
    """The selected generators of a training.

    Args:
        workdir: folder of the training.
        model: the factory that the training was given, if any.
        unfinished: accept the best generators so far of a training that was stopped.

    Returns:
        The generators in evaluation mode.

    Raises:
        InputError: no such training, no readable checkpoint, another model, or a training that is
            not finished.
    """
    return load_model(
        _TRAINER, Config, workdir, init, choose_generator, model=model, unfinished=unfinished
    )


@dataclass(frozen=True)
class _Judge:
    """Loss, terms and answers of one image; equal configurations compile once."""

    config: Config

    def __call__(
        self, shared: tuple[Any, Classifier], image: Float[Array, "h w c"]
    ) -> dict[str, Array]:
        terms, metrics = _judge(self.config, *shared, image[None])
        return {"loss": sum(terms.values(), jnp.zeros(())), **terms, **metrics}


def _judge(
    config: Config, module: Any, classifier: Classifier, images: Float[Array, "b h w c"]
) -> tuple[Terms, dict[str, Array]]:
    # A model of the caller's own may have no such limit.
    learning = nnx.with_attributes(module, limit=unit_clip_leading_back, raise_if_not_found=False)
    naive = config.generator == "naive"
    similar, adversarial = (images, learning(images)) if naive else learning(images)
    logits, similar_logits, adversarial_logits = (
        jax.vmap(classifier)(each) for each in (images, similar, adversarial)
    )
    metrics = answers(logits, similar_logits, adversarial_logits, adversarial)
    if naive:
        terms = naive_adversarial_terms(
            images, adversarial, logits, adversarial_logits, weights=config.weights
        )
        return terms, metrics
    terms = similar_adversarial_terms(
        images,
        (similar, adversarial),
        logits,
        (similar_logits, adversarial_logits),
        (nnx.state(module.similar, nnx.Param), nnx.state(module.adversarial, nnx.Param)),
        weights=config.weights,
        margin=config.margin,
        proximity=config.proximity,
    )
    return terms, metrics
