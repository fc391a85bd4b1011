"""Metrics beside torchmetrics': structural similarity, Fréchet distance, calibration error."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.case import Call, Case, relative_difference
from benchmarks.peers.networks import channels_first, images_of

_NUM_BINS = 20
_TOLERANCE = 1e-3
_SIZES: dict[str, tuple[dict[str, int], ...]] = {
    "structural similarity": (
        {"images": 16, "pixels": 224},
        {"images": 4, "pixels": 224},
        {"images": 16, "pixels": 112},
    ),
    "Fréchet distance": (
        {"images": 2000, "features": 512},
        {"images": 500, "features": 512},
        {"images": 2000, "features": 256},
    ),
    "calibration error": (
        {"images": 100_000, "classes": 10},
        {"images": 10_000, "classes": 10},
        {"images": 10_000, "classes": 100},
    ),
}


def cases() -> list[Case]:
    """Each metric at one size; then at others."""
    named = [(name, size, not i) for name, sizes in _SIZES.items() for i, size in enumerate(sizes)]
    return [
        Case(
            name,
            "torchmetrics",
            size,
            partial(_OURS[name], size),
            partial(_PEERS[name], size),
            relative_difference,
            _TOLERANCE,
            is_main,
        )
        for name, size, is_main in sorted(named, key=lambda case: not case[2])
    ]


def _pair_of_images(size: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    first = images_of(size["images"], size["pixels"])
    return first, np.clip(first + 0.1 * first[::-1, ::-1] - 0.05, 0, 1)


def _pair_of_features(size: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    rng, shape = np.random.default_rng(0), (size["images"], size["features"])
    return rng.normal(size=shape), rng.normal(0.1, 1.1, shape)


def _answers(size: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, k) of a classifier that is too sure, and labels (n,)."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(size["images"], size["classes"]))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    shares = np.exp(2 * logits)
    return (shares / shares.sum(1, keepdims=True)).astype(np.float32), labels


def _own_similarity(size: dict[str, int], _: Path) -> Call:
    import jax

    from cfx_jax.metrics import ssim

    pair = _pair_of_images(size)
    measure = jax.jit(jax.vmap(ssim))
    return lambda: np.asarray(measure(*pair))


def _peer_similarity(size: dict[str, int], _: Path) -> Call:
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    first, second = map(channels_first, _pair_of_images(size))
    return lambda: ssim(first, second, data_range=1.0, reduction="none").numpy()


def _own_distance(size: dict[str, int], _: Path) -> Call:
    from cfx_jax.metrics import frechet_distance

    pair = _pair_of_features(size)
    return lambda: np.array([frechet_distance(*pair)])


def _peer_distance(size: dict[str, int], _: Path) -> Call:
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    first, second = map(torch.from_numpy, _pair_of_features(size))
    same = torch.nn.Identity()
    same.num_features = size["features"]

    def distance() -> np.ndarray:
        metric = FrechetInceptionDistance(same).set_dtype(torch.float64)
        metric.update(first, real=True)
        metric.update(second, real=False)
        return metric.compute().numpy()[None]

    return distance


def _own_calibration(size: dict[str, int], _: Path) -> Call:
    from cfx_jax.metrics import expected_calibration_error

    given = _answers(size)
    return lambda: np.asarray(expected_calibration_error(*given, num_bins=_NUM_BINS))[None]


def _peer_calibration(size: dict[str, int], _: Path) -> Call:
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error as error

    given, options = map(torch.from_numpy, _answers(size)), {"num_classes": size["classes"]}
    shares, labels = given
    return lambda: error(shares, labels, n_bins=_NUM_BINS, **options).numpy()[None]


_OURS: dict[str, Any] = {
    "structural similarity": _own_similarity,
    "Fréchet distance": _own_distance,
    "calibration error": _own_calibration,
}
_PEERS: dict[str, Any] = {
    "structural similarity": _peer_similarity,
    "Fréchet distance": _peer_distance,
    "calibration error": _peer_calibration,
}
