"""A synthetic world of CT scans: heads with and without a stroke, chests and ground glass.

Every scan is a pure function of (seed, index) and comes with what real data cannot give: the voxels
of its finding and its exact counterfactual, the same body in the same scanner without (or with) the
finding. Heads stand in for IST-3 and chests for MosMedData in the study of Fontanella et al.
("ACAT: adversarial counterfactual attention for classification and detection in medical imaging",
ICML 2023). Each aspect of a scan has its own random stream, so body i stays the same whatever the
finding, severity or prevalence.

Slices run from the feet to the head, rows from front to back and columns from the patient's right
to the left, as :mod:`cfx_jax.data.nifti` reads scans: what lies on the patient's left is in the
right half of the picture.

It is meant for demonstrations and tests. Figures obtained on it say nothing about clinical
performance: say "synthetic" beside them.
"""

import functools
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from cfx_jax.checks import check_choice, check_count
from cfx_jax.data.worlds.ct import (
    GRADES,
    SIDES,
    Scene,
    acquire,
    disturbances,
    levels_of,
    numbers_of,
    pneumonia_scene,
    sample_scanner,
    stroke_scene,
)
from cfx_jax.data.worlds.world import (
    DrawnSource,
    check_picture,
    check_severity,
    check_share,
    label_of,
    pair_of,
    stream,
)
from cfx_jax.errors import InputError

Kind = Literal["stroke", "lung"]
_KIND: Kind = "stroke"
_SIZE = 64
_NUM_SLICES = 11


class _World(NamedTuple):
    """The settings in which the two kinds of scans differ.

    Attributes:
        class_names: the name of each label.
        findings: the names of the findings; the first one is for no finding.
        prevalence: share of scans with a finding.
        shares: the share of each finding among the scans with one, in any unit.
        noise: range of the noise's deviation.
        scene: draws a body.
    """

    class_names: tuple[str, str]
    findings: tuple[str, ...]
    prevalence: float
    shares: tuple[float, ...]
    noise: tuple[float, float]
    scene: Callable[..., Scene]


_WORLDS: dict[str, _World] = {
    "stroke": _World(
        ("no infarct", "infarct"), SIDES, 0.5369, (28.80, 24.03, 0.86), (0.022, 0.045), stroke_scene
    ),
    "lung": _World(
        ("clear", "ground glass"),
        GRADES,
        172 / 426,
        (0, 125, 45, 2),
        (0.010, 0.030),
        pneumonia_scene,
    ),
}
_WHICH, _SCANNER, _NOISE = 20, 21, 22  # random streams beside those of a body


def draw(
    seed: int,
    index: int,
    *,
    kind: Kind = _KIND,
    size: int = _SIZE,
    num_slices: int = _NUM_SLICES,
    prevalence: float | None = None,
    finding_shares: Sequence[float] | None = None,
    severity: float = 1.0,
) -> dict[str, Any]:
    """Draws one scan and its exact counterfactual.

    Args:
        seed: the world; scans of different seeds are independent.
        index: the scan's number, 0 or more.
        kind: "stroke" for heads, shown from 0 to 80 Hounsfield units, or "lung" for chests, from
            -1000 to 400.
        size: side of the slices in pixels, at least 32.
        num_slices: how many slices the same body is cut into, at least 1.
        prevalence: share of scans with a finding in [0, 1]; by default the share in IST-3 (0.5369),
            or in MosMedData without its CT-1 studies (172 of 426).
        finding_shares: how the findings share out, in any unit. Of "stroke", infarcts on the left,
            on the right and on both sides; by default as in IST-3, 28.80, 24.03 and 0.86. Of
            "lung", the grades CT-1 to CT-4; by default as in MosMedData without CT-1: 0, 125, 45
            and 2.
        severity: above 0; a factor on how much darker infarcts are, or on the density of ground
            glass, within what is possible: no infarct is darker than 0, so that from 3.57 on all
            have the same brightness, darker than fluid, and no ground glass is denser than water.

    Returns:
        A dict of

        - ``image`` float32 (s, size, size, 1) in [0, 1];
        - ``label`` int, 1 with a finding;
        - ``lesion_mask`` bool (s, size, size), the voxels at least half filled by brain tissue (or
          lung), more than a quarter of it with the finding. It is empty without a finding, and
          below 64 pixels also where an infarct is too small for that;
        - ``counterfactual``, the same scan of the same body without its finding, or with the one
          drawn for this index;
        - ``counterfactual_lesion_mask``;
        - ``factors``, a dict of named numbers, in which the finding belongs to the pair's diseased
          member, and is the larger of two infarcts.

        The pair is equal bit for bit outside the union of the two lesion masks.

        Heads ("stroke") also have

        - ``side`` int, 0 none, 1 left, 2 right, 3 both;
        - ``infarct_size`` int, of the larger infarct, 0 none, 1 small to 4 very large;
        - ``territory`` int, of the larger infarct, 0 none, else its place in ``TERRITORIES``
          counted from 1;
        - ``territory_mask`` uint8 (s, size, size), the territory of each voxel of the brain, 0
          elsewhere;
        - ``region_mask`` bool, the territories that hold an infarct.

        Chests ("lung") also have

        - ``grade`` int, 0 to 4;
        - ``lung_mask`` bool, the lungs with their vessels and their ground glass.

    Raises:
        InputError: an argument is out of its range.
    """
    world = _choose_world(kind, prevalence, finding_shares)
    _check_options(seed, index, size, num_slices, severity)
    label = label_of(seed, index, prevalence=world.prevalence)
    levels = levels_of(num_slices)
    scene = world.scene(
        functools.partial(stream, seed, index),
        size,
        levels,
        finding=_finding_if_any(seed, index, world),
        severity=severity,
    )
    scanner = sample_scanner(stream(seed, index, _SCANNER), noise=world.noise)
    disturbed = disturbances(stream(seed, index, _NOISE), scanner, scene.frame, levels)
    healthy, diseased = (
        acquire(body, scanner, disturbed, scene.frame, levels)
        for body in (scene.healthy, scene.diseased)
    )
    return {
        **pair_of(
            label, healthy, np.where(scene.lesion[..., None], diseased, healthy), scene.lesion
        ),
        **{
            name: value if label else np.zeros_like(value)[()]
            for name, value in scene.of_finding.items()
        },
        **scene.given,
        "factors": {**scene.factors, **numbers_of(scanner, "scanner_")},
    }


class SyntheticCT(DrawnSource):
    """The first ``num_images`` scans of one synthetic world of computed tomography.

    Each is drawn when it is asked for.

    ``source[i]`` is ``draw(seed, i, ...)`` with the options given here. Drawing takes some 40
    milliseconds of processor time for 11 slices of 64 pixels; for training, draw once with
    ``load_arrays`` and train from an ``ArraySource``.

    Args:
        num_images: how many scans, at least 1.
        kind: "stroke" for heads or "lung" for chests.
        size: side of the slices in pixels, at least 32.
        num_slices: slices of a scan, at least 1.
        seed: the world.
        prevalence: share of scans with a finding in [0, 1]; see :func:`draw`.
        finding_shares: how sides or grades share out; see :func:`draw`.
        severity: above 0; see :func:`draw`.

    Attributes:
        class_names: ("no infarct", "infarct") or ("clear", "ground glass").
        findings: int (n,), the ``side`` or ``grade`` of all scans.
        finding_names: ("none", "left", "right", "both") or ("CT-0", ..., "CT-4").

    Raises:
        InputError: an argument is out of its range.

    Example:
        >>> source = SyntheticCT(4, kind="lung", size=32, num_slices=3)
        >>> source.class_names, source[0]["image"].shape
        (('clear', 'ground glass'), (3, 32, 32, 1))
    """

    def __init__(
        self,
        num_images: int,
        *,
        kind: Kind = _KIND,
        size: int = _SIZE,
        num_slices: int = _NUM_SLICES,
        seed: int = 0,
        prevalence: float | None = None,
        finding_shares: Sequence[float] | None = None,
        severity: float = 1.0,
    ) -> None:
        world = _choose_world(kind, prevalence, finding_shares)
        _check_options(seed, 0, size, num_slices, severity)
        self.class_names: Sequence[str] = world.class_names
        self.finding_names: Sequence[str] = world.findings
        options = {"kind": kind, "size": size, "num_slices": num_slices, "severity": severity}
        super().__init__(
            num_images, draw, seed, world.prevalence, finding_shares=finding_shares, **options
        )
        if_any = [_finding_if_any(seed, index, world) for index in range(num_images)]
        self.findings: Int[np.ndarray, " n"] = self.labels * np.array(if_any)


def _finding_if_any(seed: int, index: int, world: _World) -> int:
    """The finding in the scan of this index, or that it would have; counted from 1.

    It is a place in ``world.findings``.
    """
    weights = np.asarray(world.shares, float)
    return 1 + int(stream(seed, index, _WHICH).choice(len(weights), p=weights / weights.sum()))


def _check_options(seed: int, index: int, size: int, num_slices: int, severity: float) -> None:
    check_picture(seed, index, size)
    check_count(num_slices, name="num_slices")
    check_severity(severity)


def _choose_world(kind: str, prevalence: float | None, shares: Sequence[float] | None) -> _World:
    """The world of a kind, with the shares that are asked for."""
    check_choice(kind, tuple(_WORLDS), name="kind")
    world = _WORLDS[kind]
    if prevalence is not None:
        check_share("prevalence", prevalence, 0.5)
        world = world._replace(prevalence=prevalence)
    if shares is not None:
        _check_shares(shares, world)
        world = world._replace(shares=tuple(shares))
    return world


def _check_shares(shares: Sequence[float], world: _World) -> None:
    """Checks how the findings share out."""
    is_list = isinstance(shares, Sequence | np.ndarray) and not isinstance(shares, str | bytes)
    are_numbers = is_list and all(isinstance(share, Real) for share in shares)
    weights: Float[np.ndarray, " k"] = np.asarray(shares if are_numbers else (), float)
    names = world.findings[1:]
    if (
        weights.shape != (len(names),)
        or not np.isfinite(weights).all()
        or weights.min() < 0
        or not weights.any()
    ):
        raise InputError(
            f"finding_shares: expected {len(names)} numbers of 0 or more, not all 0, for"
            f" {', '.join(names)}, got {shares!r}: give e.g. {world.shares}"
        )
