"""The networks that are compared, one row of the tables for each."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from cfx_jax.checks import InputError, check_choice
from cfx_jax.models import build_acat, build_competitor, build_slice_wise, shape_mismatches
from experiments.acat.maps import (
    GRAD_CAM,
    GRADIENT,
    LATENT_SHIFT,
    NOISE,
    OURS,
    PLACES,
    SHUFFLED,
    ZERO,
)
from trainers import ModelFactory

BASELINE, ACAT, VIT, HSM = "baseline", "ACAT", "ViT", "HSM"
SCRATCH, AS_LONG = "ACAT, from scratch", "baseline, as long"
TRUE_PLACES = "maps: true places"
MASKS = ("early", "middle", "late")
"""ACAT's masks, by the layers after which they weigh features."""

Shape = tuple[int, int, int]
"""Slices, rows and columns of a scan."""


class Network(NamedTuple):
    """A network, from its architecture to where its training starts.

    Attributes:
        name: the name in tables.
        architecture: a name of ``build_competitor``, ``"acat"`` or ``"slice_wise"``.
        maps: the method of its saliency maps; empty where it takes none.
        starts: whether it starts from the baseline's weights, but for arrays of another shape.
        options: the options of the architecture.
    """

    name: str
    architecture: str
    maps: str = ""
    starts: bool = True
    options: tuple[tuple[str, object], ...] = ()

    def factory(self, trunk: str, shape: Shape) -> ModelFactory:
        """The function that makes the network of a scan's shape from ``nnx.Rngs``.

        It is the same object for the same network, so that trainings share a compiled step.
        """
        return _make_factory(self.architecture, self.options, trunk, shape)

    def shapes(self, trunk: str, shape: Shape) -> Any:
        """The network with shapes in place of arrays, which costs nothing."""
        return _find_shapes(self.factory(trunk, shape))

    def fresh_arrays(self, trunk: str, shape: Shape) -> tuple[str, ...]:
        """The arrays that have another shape in the baseline, and so start at random.

        Only SalClassNet has one, its first kernel.
        """
        return shape_mismatches(self.shapes(trunk, shape), BASELINE_NETWORK.shapes(trunk, shape))


@cache
def _make_factory(
    architecture: str, options: tuple[tuple[str, object], ...], trunk: str, shape: Shape
) -> ModelFactory:
    return partial(_build, architecture, dict(options), trunk, shape)


@cache
def _find_shapes(factory: ModelFactory) -> Any:
    return nnx.eval_shape(lambda: factory(nnx.Rngs(0)))


def _build(
    architecture: str, options: Mapping[str, Any], trunk: str, shape: Shape, rngs: nnx.Rngs
) -> nnx.Module:
    slices, rows, columns = shape
    if architecture == "acat":
        return build_acat(trunk, rngs=rngs, **{"num_slices": slices, **options})
    if architecture == "slice_wise":
        return build_slice_wise(trunk, rngs=rngs, **options)
    return build_competitor(architecture, trunk, size=(rows, columns), rngs=rngs)


BASELINE_NETWORK = Network(BASELINE, "slice_wise", starts=False)
ACAT_NETWORK = Network(ACAT, "acat", OURS)


def _make_acat(name: str, maps: str = OURS, **options: object) -> Network:
    return Network(name, "acat", maps, options=tuple(options.items()))


GROUPS: Mapping[str, tuple[Network, ...]] = {
    "competitors": (  # Table 2
        Network("SMIC", "smic", OURS),
        Network("SalClassNet", "sal_class_net", OURS),
        Network(HSM, "hallucinated_saliency"),
        Network("SpAtt", "sp_att"),
        Network("SeAtt", "se_att"),
        Network(VIT, "vit", starts=False),
    ),
    "components": (  # section 4.5, second paragraph
        _make_acat("no fusion", fusion=False),
        _make_acat("also no late mask", fusion=False, masks=MASKS[:2]),
        _make_acat("also no middle mask", fusion=False, masks=MASKS[:1]),
    ),
    "sources": (  # section 4.5, first paragraph
        _make_acat("maps: gradient", GRADIENT),
        _make_acat("maps: latent shift", LATENT_SHIFT),
        _make_acat("maps: Grad-CAM", GRAD_CAM),
    ),
    "rivals": tuple(  # Table 6; HSM takes maps as in the released code only
        Network(f"{name}, {maps}", architecture, maps)
        for name, architecture in (
            ("SMIC", "smic"),
            ("SalClassNet", "sal_class_net"),
            ("HSM released", "hsm"),
        )
        for maps in (LATENT_SHIFT, GRADIENT)
    ),
    "released": (
        Network("SMIC released", "smic_released", OURS),
        Network("HSM released", "hsm", OURS),
    ),
    "dropout": (  # section 4.7, in place of attention
        Network("dropout 0.2", "slice_wise", options=(("dropout", 0.2),)),
        Network("dropout 0.6", "slice_wise", options=(("dropout", 0.6),)),
    ),
    "scratch": (Network(SCRATCH, "acat", OURS, starts=False),),  # Table 3
    "controls": (  # ours: whether it is the maps that help; the true places are the best maps
        Network(AS_LONG, "slice_wise"),
        _make_acat(TRUE_PLACES, PLACES),
        _make_acat("maps: zero", ZERO),
        _make_acat("maps: of other scans", SHUFFLED),
    ),
    "more_controls": (  # ours
        _make_acat("slice attention alone", fusion=False, masks=()),
        _make_acat("maps: noise", NOISE),
    ),
}
"""The networks besides the baseline and ACAT, by the names of ``--rows``."""

TRIVIAL_NETWORKS = tuple(
    network.name
    for group in ("controls", "more_controls")
    for network in GROUPS[group]
    if network.maps != PLACES
)
"""The controls that do not depend on where a finding is."""

IN_TABLE_4 = (BASELINE, *(network.name for network in GROUPS["competitors"]), ACAT)
"""The networks that the paper trains with fewer scans."""


def choose_networks(groups: Sequence[str]) -> tuple[Network, ...]:
    """The networks of a run: the baseline, the groups of ``--rows``, and ACAT.

    Raises:
        InputError: an unknown group.
    """
    for group in groups:
        check_choice(group, tuple(GROUPS), name="--rows")
    chosen = (network for group in groups for network in GROUPS[group])
    return BASELINE_NETWORK, *chosen, ACAT_NETWORK


def select_fitting(
    networks: tuple[Network, ...], trunk: str, shape: Shape, *, has_places: bool
) -> tuple[tuple[Network, ...], dict[str, str]]:
    """The networks that can be trained on scans, known before any is trained.

    Args:
        networks: all of them.
        trunk: the networks' stages.
        shape: the shape of a scan.
        has_places: whether the true places of findings are known.

    Returns:
        The networks that fit, and why the others do not, by name.

    Raises:
        InputError: the baseline or ACAT does not fit.
    """
    reasons = dict(_find_objections(networks, trunk, shape, has_places=has_places))
    for name in (BASELINE, ACAT):
        if name in reasons:
            raise InputError(
                f"--trunks: expected networks of scans of {shape}, got one where {name} fails:"
                f" {reasons[name]}"
            )
    return tuple(network for network in networks if network.name not in reasons), reasons


def _find_objections(
    networks: tuple[Network, ...], trunk: str, shape: Shape, *, has_places: bool
) -> Iterator[tuple[str, str]]:
    """Yields the names of networks that cannot be trained, and why."""
    volumes = jax.ShapeDtypeStruct((1, *shape, 1), jnp.float32)
    for network in networks:
        if network.maps == PLACES and not has_places:
            yield network.name, "the places of findings are not known"
            continue
        inputs = (volumes, volumes) if network.maps else (volumes,)
        try:
            shapes = network.shapes(trunk, shape)
            nnx.eval_shape(lambda model, *arrays: model(*arrays), shapes, *inputs)
        except InputError as error:
            yield network.name, str(error)
