"""A run of ``explain``: what its explanations share, and what tells it from another run."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

import cfx_jax
from cfx_jax.checks import check_count
from cfx_jax.errors import InputError
from cfx_jax.explain.settings import Settings
from cfx_jax.files import check_kind

_FORMAT = 2
_CLOSE = 1e-3
"""Logits of one model differ by less between machines, relative to the largest."""
_WORDS = {
    "names": "the names of the images",
    "labels": "the labels of the images",
    "classes": "the names of the classes",
    "methods": "the methods",
    "targets": "the targets",
    "shape": "the shape of the images",
    "batch_size": "the batch size",
    "key": "the seed",
    "matmul_precision": "the precision of matrix products",
    "extra": "the generators",
}


@dataclass(frozen=True)
class Run:
    """Facts that all explanations of a run share.

    Attributes:
        names: of all images, by their number.
        labels: names of their true classes, empty where unknown; none at all where no label is
            known.
        classes: names of the k classes.
        methods: names of the methods, in order.
        settings: how the methods were run.
        targets: ``"runner_up"``, or the class for all images, or one for each image.
        shape: (h, w, c), of each image.
        batch_size: images computed at once.
        key: the numbers of the key that random draws come from.
        first: of the first images, by number, a digest of the pixels and the logits. A run with
            other images or another model differs in them.
        warnings: what a diagnosis found that may be wrong, a line each.
        notes: what a reader of the page should know of the images and the command, a line each.
        skipped: a line for each file that is no image of the run.
        extra: digests of what else the results depend on, by name.
        made: the day, versions and devices.
        matmul_precision: of the model's products, as ``jax.default_matmul_precision`` names it;
            empty for JAX's own, and on CPUs, where all are exact.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...]
    methods: tuple[str, ...]
    settings: Settings
    targets: str | int | tuple[int, ...]
    shape: tuple[int, ...]
    batch_size: int
    key: tuple[int, ...]
    first: Mapping[str, tuple[str, tuple[float, ...]]]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    made: str = ""
    matmul_precision: str = ""

    @property
    def num_groups(self) -> int:
        """How many groups of ``batch_size`` images there are."""
        return -(-len(self.names) // self.batch_size)

    def label(self, number: int) -> str:
        """The name of an image's true class, empty where it is unknown."""
        return self.labels[number] if self.labels else ""

    def difference(self, other: "Run") -> str | None:
        """The first reason why two runs cannot share results, None where there is none.

        Args:
            other: the run of this call; a reason names its values last.
        """
        for name, words in _WORDS.items():
            before, now = getattr(self, name), getattr(other, name)
            if before != now:
                return f"{words} ({_short(before)} there, {_short(now)} now)"
        for name, before in asdict(self.settings).items():
            now = getattr(other.settings, name)
            if before != now:
                return f"{name} ({before} there, {now} now)"
        # An image that was damaged then may have been mended since.
        pairs = [
            (self.first[number], other.first[number])
            for number in self.first
            if number in other.first
        ]
        if not pairs or any(before[0] != now[0] for before, now in pairs):
            return "the pixels of the first images"
        logits = np.array([[before[1], now[1]] for before, now in pairs])  # (m, 2, k)
        if np.abs(logits[:, 0] - logits[:, 1]).max() > _CLOSE * np.abs(logits).max():
            return "the logits of the first images: it is another model"
        return None

    def to_json(self) -> str:
        """The run as text, for ``run_of_json``."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1)


def check_version(facts: dict[str, Any]) -> None:
    """Checks that ``Run.to_json`` of this version of the library wrote a text.

    Args:
        facts: the object of the text.

    Raises:
        InputError: another version wrote it.
    """
    if facts.get("format") != _FORMAT:
        raise InputError(
            "expected explanations of this version of cfx-jax, got those of another: explain the"
            " images again, with --replace"
        )


def run_of_json(facts: dict[str, Any]) -> Run:
    """The run that ``Run.to_json`` wrote.

    Args:
        facts: the object of the text.

    Raises:
        ValueError, TypeError, KeyError: a fact is missing, unknown or of another kind.
    """
    facts = {name: value for name, value in facts.items() if name != "format"}
    settings = facts.pop("settings")
    check_kind(settings, dict, name="settings")
    run = Run(
        settings=Settings(**{name: _frozen(value) for name, value in settings.items()}),
        **{name: _frozen(value) for name, value in facts.items()},
    )
    _check_kinds(run)
    return run


def _check_kinds(run: Run) -> None:
    """Checks the facts of a text that may have been written by hand.

    Raises:
        ValueError: naming a fact of another kind than ``Run`` has.
    """
    for name in ("names", "labels", "classes", "methods", "warnings", "notes", "skipped"):
        check_kind(getattr(run, name), tuple, items=str, name=name)
    for name in ("shape", "key"):
        check_kind(getattr(run, name), tuple, items=int, name=name)
    for name, kind in {"first": dict, "extra": dict, "made": str, "matmul_precision": str}.items():
        check_kind(getattr(run, name), kind, name=name)
    check_count(run.batch_size, name="batch_size")
    num_labels = len(run.labels)
    if not run.names or len(run.classes) < 2 or num_labels not in (0, len(run.names)):
        raise ValueError("names, labels or classes of another number")
    if len(run.shape) != 3 or min(run.shape) < 1:
        raise ValueError(f"no shape of images: {run.shape}")


def first_facts(
    images: Mapping[int, Float[np.ndarray, "h w c"]], logits: Float[np.ndarray, "n k"]
) -> dict[str, tuple[str, tuple[float, ...]]]:
    """Facts in which other images or another model differ, as ``Run.first`` keeps them.

    Args:
        images: the first images, by number.
        logits: of each.
    """
    return {
        str(number): (_digest(image), tuple(row.tolist()))
        for (number, image), row in zip(images.items(), logits, strict=True)
    }


def matmul_precision(mesh: Mesh) -> str:
    """The precision of matrix products on some devices, as ``Run.matmul_precision`` keeps it."""
    asked: str | None = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    is_cpu = mesh.devices.flat[0].platform == "cpu"
    return "" if is_cpu or asked is None else asked


def provenance() -> str:
    """The origin of a run: the day in UTC, versions and devices."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; cfx-jax {cfx_jax.__version__}, JAX"
        f" {jax.__version__}, Python {platform.python_version()}; {jax.device_count()}"
        f" {jax.devices()[0].device_kind}"
    )


def _digest(image: Float[np.ndarray, "h w c"]) -> str:
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:16]


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _frozen(part) for name, part in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _short(value: Any) -> str:
    """A value in a message, by its length where it is long."""
    text = str(value) or "none named"
    return text if len(text) <= 60 else f"{text[:40]}... of {len(value)}"
