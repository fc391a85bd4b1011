"""The networks that are compared, each a row of the tables."""

from collections.abc import Mapping
from functools import cache, partial
from typing import Any, NamedTuple

from flax import nnx

from cfx_jax.checks import check_choice
from cfx_jax.models import build_acat, build_competitor, build_slice_wise
from experiments.acat.config import Config
from experiments.acat.sources import GRAD_CAM, GRADIENT, LATENT_SHIFT, NOISE, OURS, SHUFFLED, ZERO
from trainers.nnx_views import ModelFactory

BASELINE, ACAT, VIT = "baseline", "ACAT", "ViT"
SCRATCH = "ACAT, from scratch"
_ALL = ("early", "middle", "late")


class Row(NamedTuple):
    """A network.

    Attributes:
        name: in tables.
        method: a name of ``build_competitor``, ``"acat"`` or ``"slice_wise"``.
        maps: where its saliency maps come from; empty where it takes none.
        starts: whether it starts from the baseline's weights.
        skip: parts that start at random all the same.
        options: of the network.
    """

    name: str
    method: str
    maps: str = ""
    starts: bool = True
    skip: tuple[str, ...] = ()
    options: tuple[tuple[str, object], ...] = ()

    def factory(self, trunk: str, shape: tuple[int, int, int]) -> ModelFactory:
        """What makes the network, of scans of a shape, from ``nnx.Rngs``; the same object for the same network."""
        return _factory(self.method, self.options, trunk, shape)


@cache
def _factory(
    method: str, options: tuple[tuple[str, object], ...], trunk: str, shape: tuple[int, int, int]
) -> ModelFactory:
    """Made once, so that trainings of one network share a compiled step."""
    return partial(_build, method, dict(options), trunk, shape)


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
        Row("SalClassNet", "sal_class_net", OURS, skip=("trunk.stages.0",)),
        Row("HSM", "hsm", OURS),
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
    "dropout": (
        Row("dropout 0.2", "slice_wise", options=(("dropout", 0.2),)),
        Row("dropout 0.6", "slice_wise", options=(("dropout", 0.6),)),
    ),
    "scratch": (Row(SCRATCH, "acat", OURS, starts=False),),
    "controls": (
        Row("baseline, as long", "slice_wise"),
        Row("slice attention alone", "acat", OURS, options=(("fusion", False), ("masks", ()))),
        Row("maps: zero", "acat", ZERO),
        Row("maps: of other scans", "acat", SHUFFLED),
        Row("maps: noise", "acat", NOISE),
    ),
}
"""Groups of rows: Table 2; the components of Table 7's ablation; where maps come from; dropout in place of attention;
the ACAT of Table 3; and what the paper lacks, whether it is the maps at all that help."""


def rows_of(config: Config) -> tuple[Row, ...]:
    """The networks of a run: the baseline, those of the groups that the configuration names, and ACAT.

    Raises:
        InputError: an unknown group.
    """
    for group in config.rows:
        check_choice(group, tuple(GROUPS), name="--rows")
    return FIRST, *(row for group in config.rows for row in GROUPS[group]), WHOLE
