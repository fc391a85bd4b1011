"""The competitors of ACAT by their names, on the trunks of the baseline.

Fontanella et al. 2023, "ACAT", appendix E.
"""

from collections.abc import Callable
from functools import partial

from flax import nnx

from cfx_jax.checks import check_choice, check_count
from cfx_jax.models.volumes.build import build_head, build_trunk
from cfx_jax.models.volumes.hsm import HSM, HallucinatedSaliency
from cfx_jax.models.volumes.sal_class_net import SalClassNet
from cfx_jax.models.volumes.saliency_aided import SaliencyAided
from cfx_jax.models.volumes.se_att import SeAtt
from cfx_jax.models.volumes.slice_trunks import Trunk
from cfx_jax.models.volumes.slice_vit import vit_small_stages, vit_stages
from cfx_jax.models.volumes.slice_wise import SliceWise
from cfx_jax.models.volumes.smic import SMIC
from cfx_jax.models.volumes.sp_att import SpAtt

WITH_SALIENCY = ("smic", "smic_released", "sal_class_net", "hsm")
"""Competitors that are called with a saliency map."""

_BRANCH_STAGES = {"smic_released": 2, "hsm": 4}
_ON_IMAGES: dict[str, Callable[..., SliceWise]] = {
    "hallucinated_saliency": HallucinatedSaliency,
    "sp_att": SpAtt,
    "se_att": SeAtt,
}
_VIT = "vit"
_VITS: dict[str, tuple[tuple[int, int], Callable[..., Trunk]]] = {
    "slice_resnet50": ((128, 128), partial(vit_stages, patch=16)),
    "slice_small": ((64, 64), vit_small_stages),
    "half_brain": ((400, 500), partial(vit_stages, patch=50)),
    "half_brain_small": ((64, 64), vit_small_stages),
    "half_brain_fine": ((64, 64), vit_small_stages),
}


def build_competitor(
    method: str,
    trunk: str,
    *,
    num_classes: int = 2,
    in_channels: int = 1,
    size: tuple[int, int] | None = None,
    rngs: nnx.Rngs,
) -> SaliencyAided | SliceWise:
    """Makes a competitor of ACAT with its published options.

    Args:
        method: ``"smic"``, ``"smic_released"`` (with the branch of the code released with ACAT),
            ``"sal_class_net"`` and ``"hsm"``, which are called with saliency maps;
            ``"hallucinated_saliency"``, ``"sp_att"``, ``"se_att"`` and ``"vit"``, which are not.
        trunk: a name of ``build_trunk``. The vision transformer has stages of its own on whole
            slices, and takes from the name whether they are the published or the small ones, and
            the head.
        num_classes, in_channels: as in ``build_volume_model``.
        size: height and width of the slices in pixels, which the vision transformer alone needs;
            None for the published 128x128 or 400x500, or 64x64 for the small one.
        rngs: source of the initial weights, and of the draws in training.

    Returns:
        The model, in training mode.

    Raises:
        InputError: an unknown name (the message lists the valid ones), or a number out of range.

    >>> names = "sal_class_net", "slice_small"
    >>> model = nnx.eval_shape(lambda: build_competitor(*names, rngs=nnx.Rngs(0)))
    >>> model.trunk.in_channels  # the volume's channel and its saliency
    2
    """
    check_choice(method, (*WITH_SALIENCY, *_ON_IMAGES, _VIT), name="method")
    check_count(in_channels, name="in_channels")
    if method == _VIT:
        stages = _vit(trunk, in_channels, size, rngs)
    else:
        stages = build_trunk(
            trunk, in_channels=in_channels + (method == "sal_class_net"), rngs=rngs
        )
    head = build_head(trunk, stages, num_classes=num_classes, rngs=rngs)
    if method in WITH_SALIENCY:
        return _with_saliency(method, trunk, stages, head, rngs)
    return _ON_IMAGES.get(method, SliceWise)(stages, head, rngs=rngs)


def _with_saliency(
    method: str, name: str, trunk: Trunk, head: nnx.Module, rngs: nnx.Rngs
) -> SaliencyAided:
    if method == "smic":
        return SMIC(trunk, head, rngs=rngs)
    if method == "sal_class_net":
        return SalClassNet(trunk, head)
    branch = build_trunk(name, num_stages=_BRANCH_STAGES[method], rngs=rngs)
    if method == "hsm":
        return HSM(trunk, branch, head)
    return SMIC(trunk, head, saliency_trunk=branch, rngs=rngs)


def _vit(name: str, in_channels: int, size: tuple[int, int] | None, rngs: nnx.Rngs) -> Trunk:
    check_choice(name, tuple(_VITS), name="trunk")
    published, make = _VITS[name]
    return make(size=size or published, in_channels=in_channels, rngs=rngs)
