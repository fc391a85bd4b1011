"""The network of both sides: one architecture with the same weights."""

from pathlib import Path
from typing import Any

import numpy as np

MODEL = "resnet50"


def images_of(batch: int, pixels: int) -> np.ndarray:
    """Noise, (b, h, w, 3) in [0, 1]: speed does not depend on what the images show."""
    shape = (batch, pixels, pixels, 3)
    return np.random.default_rng(0).uniform(size=shape).astype(np.float32)


def channels_first(images: np.ndarray) -> Any:
    """Images (b, h, w, c) as a tensor (b, c, h, w)."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def torch_network(folder: Path, model: str = MODEL) -> Any:
    """The PyTorch network, whose weights the folder then holds for ours.

    They are untrained. Its batch norms know the statistics of noise, so that values stay of order 1
    from layer to layer, as in a trained network.
    """
    import torch

    from benchmarks.captum_attributions import twin
    from benchmarks.torch_resnet import numpy_tensors

    network = twin(model).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over all batches, here of one
    with torch.no_grad():
        network(channels_first(images_of(8, 64)))
    if not (file := folder / f"{model}.npz").exists():
        np.savez(file, **numpy_tensors(network))
    return network.eval()


def own_network(folder: Path, model: str = MODEL) -> Any:
    """Our network with the weights of the folder, which ``torch_network`` has written."""
    from flax import nnx

    from cfx_jax.models import build, import_weights

    with np.load(folder / f"{model}.npz") as tensors:
        return import_weights(build(model, num_classes=2, rngs=nnx.Rngs(0)), dict(tensors))
