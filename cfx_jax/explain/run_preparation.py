"""Facts of a run that are settled before it starts: first images, diagnosis, classes, sizes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from cfx_jax.adapters import is_called_back
from cfx_jax.checks import check_choice, check_integer, check_positive, check_targets, check_texts
from cfx_jax.diagnosis import diagnose
from cfx_jax.errors import InputError
from cfx_jax.explain.batches import places_for
from cfx_jax.explain.images import Images
from cfx_jax.explain.methods import METHODS
from cfx_jax.explain.name_cleaning import clean_name
from cfx_jax.explain.radii import automatic_radius
from cfx_jax.explain.result_folder import stored_run
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import ExampleMap, data_mesh, gather, mesh_or_all_devices, shard

_NAMED = 20
"""Classes that a message names."""
_DIAGNOSED = 8
"""Images that a diagnosis looks at."""
_PER_CPU, _PER_ACCELERATOR = 8, 32
"""Images computed at once on a device, where nothing else is asked for."""


def first_images(images: Images) -> dict[int, Float[np.ndarray, "h w c"]]:
    """Reads the first images that can be read, for the diagnosis and the fingerprint of a run.

    Args:
        images: of the run.

    Returns:
        The images by number.

    Raises:
        InputError: none can be read, or they have several shapes.
    """
    read, reasons = images.first_readable(_DIAGNOSED)
    if not read:
        raise InputError(
            f"images: none of {len(images.names)} could be read; the first: {reasons[0]}"
        )
    first = next(iter(read.values()))
    for number, image in read.items():
        if image.shape != first.shape:
            raise InputError(
                f"images: expected one size, got {first.shape} and {image.shape}"
                f" ({images.names[number]}): give a size"
            )
    _check_channels(first.shape[2])
    return read


def _check_channels(count: int) -> None:
    if count not in (1, 3):
        raise InputError(
            f"images: expected 1 or 3 channels, which a page can show, got {count}: call the"
            " methods of cfx_jax.attributions and cfx_jax.counterfactuals, which take any"
        )


def logits_of(
    decision: ExampleMap, images: Sequence[Float[np.ndarray, "h w c"]], size: int, mesh: Mesh
) -> Float[np.ndarray, "n k"]:
    """Computes the logits of a few images, by the program that serves all groups.

    Args:
        decision: the program of ``decide``.
        images: the images.
        size: images of a group.
        mesh: the devices.
    """
    places = places_for(size, mesh)
    parts = []
    for start in range(0, len(images), size):
        part = images[start : start + size]
        group = np.stack([*part, *[part[0]] * (places - len(part))])
        wanted = np.zeros(places, int)
        answer = gather(decision(shard((group, wanted), mesh)))
        parts.append(answer.logits[: len(part)])
    return np.concatenate(parts)


def devices_for(classifier: Classifier, mesh: Mesh | None) -> Mesh:
    """The devices that a classifier is computed on.

    Args:
        classifier: a pytree.
        mesh: the devices that are there; None takes all.

    Returns:
        All of them; of a PyTorch network that JAX calls back the first, since JAX cannot share out
        its batches.
    """
    mesh = mesh_or_all_devices(mesh)
    return data_mesh(devices=[mesh.devices.flat[0]]) if is_called_back(classifier) else mesh


def batch_size_for(asked: int | None, folder: Path | None, count: int, mesh: Mesh) -> int:
    """How many images are computed at once: as asked, as a stopped run did, or by the devices.

    Args:
        asked: what the user wants.
        folder: where a stopped run may be.
        count: of all images.
        mesh: the devices.
    """
    before = None if folder is None or asked is not None else stored_run(folder)
    if before is not None:
        return before.batch_size
    is_cpu = mesh.devices.flat[0].platform == "cpu"
    usual = mesh.size * (_PER_CPU if is_cpu else _PER_ACCELERATOR)
    return min(usual if asked is None else asked, count)


def diagnosed(classifier: Classifier, images: Float[np.ndarray, "n h w c"]) -> tuple[str, ...]:
    """Diagnoses a classifier, and gives the warnings.

    Args:
        classifier: one image -> logits.
        images: the first images.

    Raises:
        InputError: the first error that the diagnosis has found.
    """
    findings = diagnose(classifier, images)
    for finding in findings:
        if finding.severity == "error":
            raise InputError(finding.message)
    return tuple(finding.message for finding in findings)


def check_methods(methods: Sequence[str], generators: Sequence[Any] = ()) -> None:
    """Checks that methods are a list of known names.

    Args:
        methods: what the user gave.
        generators: with some, there need be no methods.

    Raises:
        InputError: they are not.
    """
    if isinstance(generators, (str, Path)):
        raise InputError(f"generators: expected a list, got {str(generators)!r}")
    if isinstance(methods, str) or not (methods or generators):
        raise InputError(f"methods: expected one or more names in a list, got {methods!r}")
    for method in methods:
        check_choice(method, tuple(METHODS), name="methods")


def radius_for(radius: float | str, shape: tuple[int, ...], p: float) -> float:
    """The radius of counterfactuals as a number.

    Args:
        radius: what the user gave, a number or ``"auto"``.
        shape: of the images, (h, w, c).
        p: the norm.

    Raises:
        InputError: another word, or a number that is not above 0.
    """
    if isinstance(radius, str):
        check_choice(radius, ("auto",), name="radius")
        return automatic_radius(shape, p)
    check_positive(radius, name="radius")
    return float(radius)


def check_occlusion_window(side: int | None, shape: tuple[int, ...]) -> None:
    """Checks that the square of occlusion fits into the images.

    Args:
        side: in pixels; None is chosen to fit.
        shape: of the images, (h, w, c).

    Raises:
        InputError: it is larger.
    """
    if side is not None and side > min(shape[:2]):
        raise InputError(
            f"occlusion_window: expected at most {min(shape[:2])} pixels, the shorter side of the"
            f" images, got {side}"
        )


def class_names_for(classes: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """The names of the classes.

    Args:
        classes: what the user gave; None numbers them.
        count: of the logits.

    Raises:
        InputError: names that are not texts, or not one for each logit, or not all different.
    """
    if classes is None:
        return tuple(f"class {number}" for number in range(count))
    check_texts(classes, name="classes")
    if len(classes) != count or len(set(classes)) != count:
        raise InputError(
            f"classes: expected {count} different names, one for each logit, got {len(classes)}:"
            f" {list(classes[:_NAMED])}"
        )
    return tuple(map(clean_name, classes))


def targets_for(targets: Any, classes: tuple[str, ...], count: int) -> str | int | tuple[int, ...]:
    """The targets of all images as ``Run`` keeps them.

    Args:
        targets: what the user gave: ``"runner_up"``, a class, or one for each image.
        classes: names of the classes.
        count: of the images.

    Raises:
        InputError: a class that does not exist, or not one for each image.
    """
    if isinstance(targets, str) and targets == "runner_up":
        return targets
    number_of = {name: number for number, name in enumerate(classes)}
    if np.ndim(targets) == 0:
        number = _number(targets, number_of)
        check_targets(np.array([number]), len(classes), count=1)
        return number
    numbers = [_number(target, number_of) for target in targets]
    check_targets(np.array(numbers), len(classes), count=count)
    return tuple(numbers)


def _number(target: Any, number_of: Mapping[str, int]) -> int:
    if isinstance(target, str):
        if target not in number_of:
            check_choice(target, tuple(number_of), name="targets")
        return number_of[target]
    check_integer(target, name="targets", at_least=0)
    return int(target)
