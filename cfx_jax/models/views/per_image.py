"""Views of a model: in inference mode, of one image, as its two parts, and with the guided ReLU.

Nothing is copied or changed. A view holds the weights that its model has when the view is made.
Make a new one after a training step.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from flax import nnx
from jax.tree_util import Partial
from jaxtyping import Array, Float

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.layer_taps import Parts
from cfx_jax.models.views.activations import guided_relu
from cfx_jax.models.views.compute_dtype import leaves_at_least_float32

Model = TypeVar("Model", bound=nnx.Module)


def in_inference_mode(model: Model) -> Model:
    """Returns a view of a model in inference mode.

    Its batch norms use their running averages, and its dropout is off.

    Args:
        model: an NNX module in any mode, which it stays in.

    Returns:
        The view, of the same class.
    """
    return nnx.view(model, use_running_average=True, deterministic=True, raise_if_not_found=False)


def per_image(model: nnx.Module) -> Partial:
    """Turns a model of batches into a classifier of one image, in inference mode.

    Batch norm uses its running averages and dropout is off, whatever mode the given model is in;
    the given model stays in its mode. The result is a pytree: pass it through ``jax.jit`` as an
    argument, and ``jax.vmap`` it over images at the speed of a batch.

    Args:
        model: an NNX module, (b, h, w, c) -> logits (b, k).

    Returns:
        The classifier, image (h, w, c) -> logits (k,).

    Raises:
        InputError: ``model`` is not an NNX module that can be called.

    >>> import jax.numpy as jnp
    >>> head = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    >>> model = nnx.Sequential(lambda images: images.mean(axis=(1, 2)), head)
    >>> per_image(model)(jnp.zeros((4, 4, 3))).tolist()
    [0.0, 0.0]
    """
    _check_module(model, "a function of one image needs no per_image")
    return Partial(_classify_one, in_inference_mode(model))


def parts(model: nnx.Module) -> Parts:
    """Cuts a model of batches into feature maps and head, both of one image and in inference mode.

    Grad-CAM needs a classifier in these two parts.

    Args:
        model: an NNX module with the methods ``features`` (b, h, w, c) -> (b, fh, fw, f) and
            ``classify`` -> (b, k), as the classifiers here have them.

    Returns:
        The two parts, each a pytree as ``per_image`` returns it.

    Raises:
        InputError: ``model`` is not an NNX module with these methods.

    >>> import jax.numpy as jnp
    >>> from cfx_jax.models import resnet_small
    >>> model = nnx.eval_shape(lambda: resnet_small(num_classes=2, rngs=nnx.Rngs(0)))
    >>> features, image = parts(model).features, jnp.zeros((32, 32, 3))
    >>> jax.eval_shape(lambda features, image: features(image), features, image).shape
    (2, 2, 192)
    """
    _check_module(model, "apply models.parts to the model, not to models.per_image of it")
    missing = [
        name for name in ("features", "classify") if not callable(getattr(model, name, None))
    ]
    if missing:
        raise InputError(
            f"model: expected the methods features and classify, {type(model).__name__} has no"
            f" {' and no '.join(missing)}: give attributions two functions of your own, image ->"
            " maps and maps -> logits"
        )
    view = in_inference_mode(model)
    return Parts(Partial(_features_of_one, view), Partial(_classify_features_of_one, view))


def _classify_one(
    model: Callable[[jax.Array], jax.Array], image: Float[Array, "h w c"]
) -> Float[Array, "k"]:
    logits = model(image[None])
    if isinstance(logits, tuple):
        raise InputError(
            f"model: expected a batch of images -> logits, got {len(logits)} arrays:"
            " models.generator_of takes generators"
        )
    return leaves_at_least_float32(logits[0])


def _features_of_one(model: Any, image: Float[Array, "h w c"]) -> Float[Array, "fh fw f"]:
    return leaves_at_least_float32(model.features(image[None])[0])


def _classify_features_of_one(model: Any, maps: Float[Array, "fh fw f"]) -> Float[Array, "k"]:
    return leaves_at_least_float32(model.classify(maps[None])[0])


def guided(model: Model, *, part: str | None = None) -> Model:
    """Returns a view of a model for guided backpropagation.

    Each activation sends back only positive signals. Values are the model's where its activation is
    the ReLU. Source: Springenberg et al. 2015, "Striving for Simplicity"; see ``guided_relu``.

    Args:
        model: an NNX module that keeps its activations as attributes named ``act``, as the models
            here do.
        part: the attribute of the model, such as ``"stem"``, whose activations alone are guided;
            None for all. The code released with Boreiko et al. 2022 guides the stem only.

    Returns:
        The view, of the same class, for ``per_image``.

    Raises:
        InputError: ``model`` is not an NNX module, no part of it has the attribute ``act``, or
            ``part`` is none that has.

    >>> from cfx_jax.models import resnet_small
    >>> model = nnx.eval_shape(lambda: resnet_small(num_classes=2, rngs=nnx.Rngs(0)))
    >>> guided(model).stem.act is guided_relu
    True
    """
    _check_module(model, "apply models.guided before models.per_image")
    paths = [path for path, module in nnx.iter_modules(model) if hasattr(module, "act")]
    if not paths:
        raise InputError(
            f"model: {type(model).__name__} has no activation attribute `act` to replace: store the"
            " activation as `self.act = nnx.relu` and call `self.act(x)`"
        )
    if part is None:
        return nnx.with_attributes(model, act=guided_relu)
    check_choice(part, tuple(dict.fromkeys(path[0] for path in paths if path)), name="part")
    return nnx.with_attributes(model, only=lambda path, _: path[:1] == (part,), act=guided_relu)


def _check_module(model: object, advice: str) -> None:
    if not isinstance(model, nnx.Module) or not callable(model):
        raise InputError(
            f"model: expected an NNX model of batches of images, got {type(model).__name__}:"
            f" {advice}"
        )
