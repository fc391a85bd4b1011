"""Whether a map depends on the classifier's weights: the model parameter randomisation test.

Adebayo et al. 2018, "Sanity checks for saliency maps", section 3. A map that stays as it is when
the classifier's weights are replaced explains something else, such as the image's edges.

Deviation: the authors draw the weights anew from the network's initialiser. A normal draw here has
each array's own mean and standard deviation, so that any pytree of parameters will do; an array of
equal values, such as new biases, stays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import (
    as_numpy,
    check_array,
    check_callable,
    check_choice,
    check_flag,
    check_images,
    check_key,
)
from cfx_jax.errors import InputError
from cfx_jax.metrics.ranks import rank_correlation
from cfx_jax.parallel import map_examples

_DRAWS = ("normal", "permutation")


class ParameterRandomisation(NamedTuple):
    """The part of each image's map that is left at each stage: 1 is all of it, 0 nothing.

    Attributes:
        stages: the group of parameters that was replaced at each stage, the last of the network
            first.
        correlation: Spearman's rank correlation of the map with the original map; NaN where either
            is constant.
        absolute: the correlation of the maps' absolute values, which does not count a change of
            sign.
    """

    stages: tuple[str, ...]
    correlation: Float[np.ndarray, "stages n"]
    absolute: Float[np.ndarray, "stages n"]


def parameter_randomisation(
    key: PRNGKeyArray,
    attribution: Callable[..., Float[Array, "*map"]],
    parameters: Any,
    images: Float[AnyArray, "n h w c"],
    *,
    targets: Int[AnyArray, " n"] | None = None,
    groups: Sequence[str] | None = None,
    draw: str = "normal",
    cascade: bool = True,
    batch_size: int | None = None,
) -> ParameterRandomisation:
    """Replaces a classifier's parameters group by group, and compares its maps with the first ones.

    The groups are replaced from the last to the first.

    Args:
        key: source of the new parameters; the values of leaf i depend on the key and i only.
        attribution: ``(parameters, image) -> map``, or ``(parameters, image, target) -> map`` with
            targets; signed or not, with or without channels, traceable. Let it explain the same
            class at every stage.
        parameters: a pytree; leaves that are no arrays of floats are never replaced. Leave out what
            must stay positive, such as a batch norm's running variances, or take
            ``draw="permutation"``.
        images: values in [0, 1].
        targets: a class for each image, handed on to the attribution.
        groups: beginnings of the leaves' paths such as ``"head"`` or ``"stages/0"``, in the order
            of the network, from its input to its output; leaves in none are kept. None makes a
            group of each leaf in the order of the pytree, which for a dictionary is the alphabet's.
        draw: ``"normal"``, of a leaf's mean and standard deviation, or ``"permutation"`` of its
            values.
        cascade: whether groups that were replaced stay so at later stages; False replaces one group
            at a time.
        batch_size: how many images are explained at once; None takes all.

    Returns:
        The correlations with the original map, for each stage and image.

    Raises:
        InputError: an image lies outside of [0, 1], there are not as many targets as images, a
            group names no leaf or shares one with another group, the draw is unknown, or
            the attribution's result is no map or not finite.

    >>> def attribution(weights, image):
    ...     return image * weights["head"]  # gradient times input of a linear classifier
    >>> weights = {"head": jnp.arange(12.0).reshape(2, 2, 3)}
    >>> images = jnp.linspace(0, 1, 24).reshape(2, 2, 2, 3)
    >>> test = parameter_randomisation(jax.random.key(0), attribution, weights, images)
    >>> test.stages, test.correlation.shape
    (('head',), (1, 2))
    """
    check_images(images)
    check_key(key)
    check_callable(attribution, name="attribution", gives="parameters and an image -> map")
    if groups is not None and (isinstance(groups, str) or not isinstance(groups, Sequence)):
        raise InputError(f"groups: expected a list of beginnings of paths, got {groups!r}")
    check_choice(draw, _DRAWS, name="draw")
    if targets is not None:
        targets = as_numpy(targets, name="targets")
        if targets.shape != images.shape[:1]:
            raise InputError(
                f"targets: expected one for each of {len(images)} images, got shape {targets.shape}"
            )
    check_flag(cascade, name="cascade")
    members = _members(parameters, groups)
    examples = (images,) if targets is None else (images, targets)

    def explain(values: Any, when: str) -> Float[np.ndarray, "n p"]:
        return _as_rows(
            map_examples(_Explain(attribution), values, examples, batch_size=batch_size), when
        )

    original = explain(parameters, "of the given parameters")
    leaves, structure = jax.tree.flatten(parameters)
    current, correlations = list(leaves), []
    for name, indices in reversed(members.items()):
        current = current if cascade else list(leaves)
        for index in indices:
            current[index] = redraw(jax.random.fold_in(key, index), leaves[index], draw=draw)
        maps = explain(jax.tree.unflatten(structure, current), f"once {name} is replaced")
        correlations.append(
            [_correlate(original, maps), _correlate(np.abs(original), np.abs(maps))]
        )
    signed, absolute = np.moveaxis(np.asarray(correlations), 1, 0)
    return ParameterRandomisation(tuple(reversed(members)), signed, absolute)


def redraw(
    key: PRNGKeyArray, leaf: Float[AnyArray, "*shape"], *, draw: str
) -> Float[Array, "*shape"]:
    """Draws random parameters in the place of an array of parameters.

    Args:
        key: source of randomness.
        leaf: the array.
        draw: ``"normal"``, of the array's mean and standard deviation, or ``"permutation"`` of its
            values.

    Returns:
        An array of the same shape and dtype.

    >>> redraw(jax.random.key(0), jnp.array([0.5, 0.5]), draw="normal").tolist()
    [0.5, 0.5]
    """
    values = jnp.asarray(leaf)
    # Flat: a draw in four dimensions compiles several times slower.
    return _redraw(key, values.ravel(), draw).reshape(values.shape)


@partial(jax.jit, static_argnums=2)
def _redraw(key: PRNGKeyArray, values: Float[Array, " n"], draw: str) -> Float[Array, " n"]:
    if draw == "permutation":
        return jax.random.permutation(key, values)
    return values.mean() + values.std() * jax.random.normal(key, values.shape, values.dtype)


@dataclass(frozen=True)
class _Explain:
    """The attribution as a function of (parameters, example); equal ones compile once."""

    attribution: Callable[..., Float[Array, "*map"]]

    def __call__(self, parameters: Any, example: tuple[Array, ...]) -> Float[Array, "*map"]:
        return self.attribution(parameters, *example)


def _members(parameters: Any, groups: Sequence[str] | None) -> dict[str, list[int]]:
    """Lists the numbers of the leaves of each group."""
    leaves = jax.tree_util.tree_leaves_with_path(parameters)
    paths = {
        jax.tree_util.keystr(path, simple=True, separator="/"): index
        for index, (path, leaf) in enumerate(leaves)
        if jnp.issubdtype(getattr(leaf, "dtype", np.int32), jnp.floating)
    }
    if not paths:
        raise InputError(
            "parameters: expected a pytree with arrays of floats, got none: pass the classifier's"
            " weights"
        )
    members = {
        group: [index for path, index in paths.items() if f"{path}/".startswith(f"{group}/")]
        for group in (paths if groups is None else groups)
    }
    empty = [group for group, indices in members.items() if not indices]
    if empty or not members:
        raise InputError(
            f"groups: expected beginnings of the paths {', '.join(paths)}, got {empty or groups}"
        )
    taken = [index for indices in members.values() for index in indices]
    if len(set(taken)) < len(taken) or (groups is not None and len(members) < len(groups)):
        raise InputError(
            f"groups: expected groups without a common leaf, got {', '.join(groups or paths)}"
        )
    return members


def _as_rows(maps: np.ndarray, when: str) -> Float[np.ndarray, "n p"]:
    check_array(maps, name="attribution")
    if maps.ndim < 3:
        raise InputError(
            "attribution: expected a map (h, w) or (h, w, c) of each image, got shape"
            f" {maps.shape[1:]}"
        )
    if not np.isfinite(maps).all():
        raise InputError(
            f"attribution: expected finite maps, got NaN or infinity {when}: leave out of the"
            " parameters what must stay positive, or pass draw='permutation'"
        )
    return maps.reshape(len(maps), -1)


def _correlate(first: Float[np.ndarray, "n p"], second: Float[np.ndarray, "n p"]) -> list[float]:
    return [rank_correlation(*pair) for pair in zip(first, second, strict=True)]
