"""The networks that are compared, each a row of the tables."""

from collections.abc import Iterator, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.models import build_acat, build_competitor, build_slice_wise, shape_mismatches
from experiments.acat.config import Config
from experiments.acat.sources import (
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
_ALL = ("early", "middle", "late")


class Row(NamedTuple):
    """A network.

    Attributes:
        name: in tables.
        method: a name of ``build_competitor``, ``"acat"`` or ``"slice_wise"``.
        maps: where its saliency maps come from; empty where it takes none.
        starts: whether it starts from the baseline's weights, but for arrays of another shape.
        options: of the network.
    """

    name: str
    method: str
    maps: str = ""
    starts: bool = True
    options: tuple[tuple[str, object], ...] = ()

    def factory(self, trunk: str, shape: tuple[int, int, int]) -> ModelFactory:
        """What makes the network, of scans of a shape, from ``nnx.Rngs``; the same object for the
        same network.
        """
        return _factory(self.method, self.options, trunk, shape)

    def shapes(self, trunk: str, shape: tuple[int, int, int]) -> Any:
        """The network with shapes in place of arrays; costs nothing."""
        return _shapes(self.factory(trunk, shape))

    def skipped(self, trunk: str, shape: tuple[int, int, int]) -> tuple[str, ...]:
        """The arrays that the baseline has in another shape, which start at random: SalClassNet's
        first kernel.
        """
        return shape_mismatches(self.shapes(trunk, shape), FIRST.shapes(trunk, shape))


@cache
def _factory(
    method: str, options: tuple[tuple[str, object], ...], trunk: str, shape: tuple[int, int, int]
) -> ModelFactory:
    """Made once, so that trainings of one network share a compiled step."""
    return partial(_build, method, dict(options), trunk, shape)


@cache
def _shapes(factory: ModelFactory) -> Any:
    return nnx.eval_shape(lambda: factory(nnx.Rngs(0)))


def _build(
    method: str, options: Mapping[str, Any], trunk: str, shape: tuple[int, int, int], rngs: nnx.Rngs
) -> nnx.Module:
    slices, *size = shape
    if method == "acat":
        return build_acat(trunk, rngs=rngs, **{"num_slices": slices, **options})
    if method == "slice_wise":
        return build_slice_wise(trunk, rngs=rngs, **options)
    return build_competitor(method, trunk, size=(size[0], size[1]), rngs=rngs)


FIRST = Row(BASELINE, "slice_wise", starts=False)
WHOLE = Row(ACAT, "acat", OURS)

GROUPS: Mapping[str, tuple[Row, ...]] = {
    "competitors": (
        Row("SMIC", "smic", OURS),
        Row("SalClassNet", "sal_class_net", OURS),
        Row(HSM, "hallucinated_saliency"),
        Row("SpAtt", "sp_att"),
        Row("SeAtt", "se_att"),
        Row(VIT, "vit", starts=False),
    ),
    "components": (
        Row("no fusion", "acat", OURS, options=(("fusion", False),)),
        Row("also no late mask", "acat", OURS, options=(("fusion", False), ("masks", _ALL[:2]))),
        Row("also no middle mask", "acat", OURS, options=(("fusion", False), ("masks", _ALL[:1]))),
    ),
    "sources": (
        Row("maps: gradient", "acat", GRADIENT),
        Row("maps: latent shift", "acat", LATENT_SHIFT),
        Row("maps: Grad-CAM", "acat", GRAD_CAM),
    ),
    "rivals": tuple(
        Row(f"{name}, {maps}", method, maps)
        for name, method in (
            ("SMIC", "smic"),
            ("SalClassNet", "sal_class_net"),
            ("HSM released", "hsm"),
        )
        for maps in (LATENT_SHIFT, GRADIENT)
    ),
    "released": (Row("SMIC released", "smic_released", OURS), Row("HSM released", "hsm", OURS)),
    "dropout": (
        Row("dropout 0.2", "slice_wise", options=(("dropout", 0.2),)),
        Row("dropout 0.6", "slice_wise", options=(("dropout", 0.6),)),
    ),
    "scratch": (Row(SCRATCH, "acat", OURS, starts=False),),
    "controls": (
        Row(AS_LONG, "slice_wise"),
        Row("slice attention alone", "acat", OURS, options=(("fusion", False), ("masks", ()))),
        Row("maps: true places", "acat", PLACES),
        Row("maps: zero", "acat", ZERO),
        Row("maps: of other scans", "acat", SHUFFLED),
        Row("maps: noise", "acat", NOISE),
    ),
}
"""Groups of rows: Table 2; the components of section 4.5; where ACAT's maps come from; Table 6,
where those of its competitors do, of which HSM takes maps as in the released code only; competitors
as released; dropout in place of attention; the ACAT of Table 3; and what the paper lacks, whether
it is the maps at all that help, with the true places as the best that maps can be."""

IN_TABLE_4 = (BASELINE, *(row.name for row in GROUPS["competitors"]), ACAT)
"""The networks that the paper trains with fewer scans."""


def rows_of(config: Config) -> tuple[Row, ...]:
    """The networks of a run: the baseline, those of the groups that the configuration names, and
    ACAT.

    Raises:
        InputError: an unknown group.
    """
    for group in config.rows:
        check_choice(group, tuple(GROUPS), name="--rows")
    return FIRST, *(row for group in config.rows for row in GROUPS[group]), WHOLE


def fitting(
    rows: tuple[Row, ...], trunk: str, shape: tuple[int, int, int], *, has_places: bool
) -> tuple[tuple[Row, ...], dict[str, str]]:
    """The rows that can be trained on scans, found out before anything is.

    Args:
        rows: all of them.
        trunk: the networks' stages.
        shape: slices, rows and columns of a scan.
        has_places: whether the true places of findings are known.

    Returns:
        The rows that fit, and why each of the others does not, by name.

    Raises:
        InputError: the baseline or ACAT does not fit.
    """
    reasons = dict(_objections(rows, trunk, shape, has_places=has_places))
    for name in (BASELINE, ACAT):
        if name in reasons:
            raise InputError(
                f"--trunks: expected networks of scans of {shape}, got one where {name} fails:"
                f" {reasons[name]}"
            )
    return tuple(row for row in rows if row.name not in reasons), reasons


def _objections(
    rows: tuple[Row, ...], trunk: str, shape: tuple[int, int, int], *, has_places: bool
) -> Iterator[tuple[str, str]]:
    volumes = jax.ShapeDtypeStruct((1, *shape, 1), jnp.float32)
    for row in rows:
        if row.maps == PLACES and not has_places:
            yield row.name, "the places of findings are not known"
            continue
        inputs = (volumes, volumes) if row.maps else (volumes,)
        try:
            nnx.eval_shape(lambda model, *given: model(*given), row.shapes(trunk, shape), *inputs)
        except InputError as error:
            yield row.name, str(error)
