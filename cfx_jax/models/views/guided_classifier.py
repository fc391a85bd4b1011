"""The guided ReLU in any classifier that JAX traces, whatever library its layers are of.

The classifier is traced, and its ReLUs are exchanged in the trace. They are known by being
``jax.nn.relu`` and ``jax.nn.relu6``, which Flax, Equinox and Keras call too.
"""

from collections.abc import Callable
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float

from cfx_jax.backend import equations_of, evaluate, inner_jaxprs
from cfx_jax.checks import check_callable
from cfx_jax.compilation import as_pytree
from cfx_jax.errors import InputError
from cfx_jax.models.views.activations import guided_relu

_GUIDED: dict[str, Callable[[Array], Array]] = {
    "relu": guided_relu,
    "relu6": lambda x: jnp.minimum(guided_relu(x), 6),
}


def guided_classifier(classifier: Callable[[Float[Array, "*s h w c"]], Any]) -> Partial:
    """Returns a view of a classifier for guided backpropagation, with the same values.

    Every ``jax.nn.relu`` and ``jax.nn.relu6`` sends back only positive signals (Springenberg et al.
    2015; see ``guided_relu``). One that is written in another way, such as ``jnp.maximum(x, 0)``,
    stays as it is. ``guided`` does the same for the networks of this library, or a part of one.

    Args:
        classifier: one image or volume -> logits, or a score; what it is made of does not matter.

    Returns:
        The view, a pytree with the classifier's weights as leaves. It has no forward-mode
        derivative.

    Raises:
        InputError: when called, a classifier without a ReLU, or with one in a loop or branch of its
            own, where it cannot be exchanged.

    >>> view = guided_classifier(lambda image: jax.nn.relu(image).sum((0, 1)) * jnp.array([1, -1]))
    >>> image = jnp.ones((1, 1, 2))
    >>> view(image).tolist(), jax.grad(lambda x: view(x).sum())(image).ravel().tolist()
    ([1.0, -1.0], [1.0, 0.0])
    """
    check_callable(classifier, name="classifier", gives="one image -> logits (k,)")
    return Partial(_guided_call, as_pytree(classifier))


def _guided_call(classifier: Callable[[Array], Any], image: Float[Array, "*s h w c"]) -> Any:
    traced, shape = jax.make_jaxpr(classifier, return_shape=True)(image)
    met: list[str] = []

    def exchange(equation: Any, operands: list[Any]) -> list[Any] | None:
        name = _relu_of(equation)
        if name is not None:
            met.append(name)
            return [_GUIDED[name](*operands)]
        if equation.primitive.name == "remat2":  # jax.checkpoint
            return evaluate(equation.params["jaxpr"], (), operands, exchange)
        called = map(equations_of, inner_jaxprs(equation))
        if any(map(_relu_of, chain.from_iterable(called))):
            raise InputError(
                f"classifier: expected ReLUs outside of loops and branches, got one in"
                f" {equation.primitive.name}: guided backpropagation cannot exchange it there"
            )
        return None

    results = evaluate(traced.jaxpr, traced.consts, [image], exchange)
    if not met:
        raise InputError(
            "classifier: expected one with jax.nn.relu or jax.nn.relu6, whose rule guided"
            " backpropagation changes, got none: of other activations take the gradient"
        )
    return jax.tree.unflatten(jax.tree.structure(shape), results)


def _relu_of(equation: Any) -> str | None:
    """The name of the ReLU that an equation is, or None."""
    if equation.primitive.name != "custom_jvp_call":
        return None
    inner = equation.params["call_jaxpr"].eqns
    name = inner[0].params.get("name") if len(inner) == 1 else None
    return name if name in _GUIDED else None
