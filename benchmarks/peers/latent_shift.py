"""Latent shift beside the authors' package ``latentshift``, with the search of that package.

A linear autoencoder of squares of pixels and a ResNet-18 of two classes. The package lowers the
probability of a class by negative factors, ours raises that of the other one by positive factors:
the same steps. Compared are the probabilities along the final sweep.

The package asks for an old PyTorch Lightning and for repositories that are on no index, none of
which its search needs: ``pip install --no-deps latentshift``, and only the search is imported.
"""

import importlib.util
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.peers.case import Call, Case
from benchmarks.peers.networks import channels_first, images_of, own_network, torch_network
from cfx_jax.errors import InputError

_MODEL = "resnet18"
_SIDE, _NUM_CODES = 4, 32
_TOLERANCE = 2e-3
_SIZES = (
    ({"images": 2, "pixels": 112}, True),
    ({"images": 1, "pixels": 112}, False),
    ({"images": 2, "pixels": 64}, False),
)


def cases() -> list[Case]:
    """One size, and others."""
    return [
        Case(
            "latent shift",
            "latentshift",
            size,
            partial(_ours, size),
            partial(_peer, size),
            _difference,
            _TOLERANCE,
            is_main,
        )
        for size, is_main in _SIZES
    ]


def _basis() -> np.ndarray:
    """Orthonormal columns (side * side * 3, codes): a square of pixels as codes, and back."""
    rng = np.random.default_rng(0)
    return np.linalg.qr(rng.normal(size=(_SIDE * _SIDE * 3, _NUM_CODES)))[0].astype(np.float32)


def _ours(size: dict[str, int], folder: Path) -> Call:
    import jax.numpy as jnp

    from cfx_jax.counterfactuals import latent_shift_batch
    from cfx_jax.models import per_image

    basis, squares = jnp.asarray(_basis()), size["pixels"] // _SIDE

    def encode(image: Any) -> Any:
        split = image.reshape(squares, _SIDE, squares, _SIDE, 3).transpose(0, 2, 1, 3, 4)
        return split.reshape(squares, squares, -1) @ basis

    def decode(codes: Any) -> Any:
        split = (codes @ basis.T).reshape(squares, squares, _SIDE, _SIDE, 3)
        return split.transpose(0, 2, 1, 3, 4).reshape(size["pixels"], size["pixels"], 3)

    coder = SimpleNamespace(encode=encode, decode=decode)
    classifier = per_image(own_network(folder, _MODEL))
    images, targets = images_of(size["images"], size["pixels"]), np.zeros(size["images"], np.int32)
    shift = partial(latent_shift_batch, coder, classifier, images, targets, search="latentshift")
    return lambda: shift().probabilities


def _peer(size: dict[str, int], folder: Path) -> Call:
    import torch

    network = torch_network(folder, _MODEL)
    images = channels_first(images_of(size["images"], size["pixels"]))
    # (codes, 3, side, side): the kernel of a convolution whose stride is its side.
    kernel = torch.tensor(_basis().T.reshape(-1, _SIDE, _SIDE, 3)).permute(0, 3, 1, 2).contiguous()
    coder = SimpleNamespace(
        encode=lambda image: torch.nn.functional.conv2d(image, kernel, stride=_SIDE),
        decode=lambda codes: torch.nn.functional.conv_transpose2d(codes, kernel, stride=_SIDE),
    )

    def log_odds(image: Any) -> "_Scalar":
        logits = network(image)
        return _Scalar(logits[0, 1] - logits[0, 0])

    search = _package().LatentShift(log_odds, coder)
    options: dict[str, Any] = {"target": 0, "verbose": False, "return_dicts": True}

    def sweeps() -> np.ndarray:
        # The sweep of negative factors ends at 0, ours begins there.
        return np.array(
            [1 - np.array(one["preds"])[::-1] for one in search.attribute(images, **options)]
        )

    return sweeps


@dataclass(frozen=True)
class _Scalar:
    """A classifier's output of one image, of which every index gives the same number.

    The package takes arrays of one entry for numbers, as NumPy no longer does.
    """

    value: Any

    def __getitem__(self, _: Any) -> Any:
        return self.value


def _package() -> Any:
    """The package's module of the search."""
    package = importlib.util.find_spec("latentshift")
    if package is None or package.origin is None:
        raise InputError("latentshift: not installed: pip install --no-deps latentshift")
    path = Path(package.origin).parent / "cf" / "latent_shift.py"
    spec = importlib.util.spec_from_file_location("latentshift_search", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _difference(ours: Any, peer: Any) -> float:
    """The largest difference of a probability."""
    return float(np.abs(np.asarray(ours) - peer).max())
