"""Captum's explanations of a PyTorch network, for ``benchmarks.attributions``. Needs PyTorch and
Captum.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from captum import attr
from torch import Tensor

from benchmarks.process_cost import peak_memory_of
from benchmarks.torch_resnet import TorchResNet
from benchmarks.torch_resnet import twin as twin

_DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def explanations(
    network: TorchResNet,
    images: np.ndarray,
    *,
    num_steps: int,
    nodes_per_batch: int,
    sigma: float,
    compiled: bool,
) -> dict[str, Callable[[], np.ndarray]]:
    """Calls that explain class 1 of a batch, by the names of our methods; each gives the maps.

    Args:
        network: from ``twin``; it is moved to the GPU where PyTorch has one.
        images: (b, h, w, 3) in [0, 1].
        num_steps: nodes of a path, samples of SmoothGrad.
        nodes_per_batch: how many of them are differentiated at once, of each image.
        sigma: standard deviation of SmoothGrad's noise.
        compiled: whether methods that set no hooks in the network see it compiled.
    """
    network = network.to(_DEVICE)
    inputs = (
        torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        .to(_DEVICE)
        .requires_grad_()
    )
    targets = torch.ones(len(images), dtype=torch.long, device=_DEVICE)
    plain: Any = torch.compile(network) if compiled else network
    saliency = attr.Saliency(plain)
    last_layer = getattr(network, f"layer{network.num_stages}")

    def grad_cam() -> Tensor:
        maps = attr.LayerGradCam(network, last_layer).attribute(
            inputs, targets, relu_attributions=True
        )
        return attr.LayerAttribution.interpolate(
            maps, images.shape[1:3], interpolate_mode="bilinear"
        )

    calls: dict[str, Callable[[], Tensor]] = {
        "gradient": lambda: saliency.attribute(inputs, targets, abs=False),
        "input_x_gradient": lambda: attr.InputXGradient(plain).attribute(inputs, targets),
        "guided_backprop": lambda: attr.GuidedBackprop(network).attribute(inputs, targets),
        "smooth_grad": lambda: attr.NoiseTunnel(saliency).attribute(
            inputs,
            nt_samples=num_steps,
            nt_samples_batch_size=nodes_per_batch,
            stdevs=sigma,
            target=targets,
            abs=False,
        ),
        "integrated_gradients": lambda: attr.IntegratedGradients(plain).attribute(
            inputs, 0.0, targets, None, num_steps, "riemann_middle", nodes_per_batch * len(images)
        ),
        "grad_cam": grad_cam,
    }
    return {name: partial(_channels_last, call) for name, call in calls.items()}


def peak_memory_of_torch(call: Callable[[], np.ndarray]) -> float | None:
    """GiB that a call takes at its peak beyond what was in use before, on the GPU where PyTorch has
    one.
    """
    if _DEVICE == "cpu":
        return peak_memory_of(call)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    return (torch.cuda.max_memory_allocated() - before) / 2**30


def _channels_last(call: Callable[[], Tensor]) -> np.ndarray:
    return call().detach().cpu().numpy().transpose(0, 2, 3, 1)
