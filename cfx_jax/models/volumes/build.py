"""Classifiers of volumes by their names, as a configuration file gives them."""

from collections.abc import Callable, Sequence
from typing import Any

from flax import nnx

from cfx_jax.checks import check_choice, check_texts
from cfx_jax.models.layers import last_layer
from cfx_jax.models.layers.checks import check_numbers
from cfx_jax.models.volumes.acat import ACAT, MASKS, num_mask_stages
from cfx_jax.models.volumes.half_brain import (
    HalfBrainHead,
    half_brain_fine_stages,
    half_brain_small_stages,
    half_brain_stages,
)
from cfx_jax.models.volumes.slice_trunks import (
    NUM_STAGES,
    Trunk,
    resnet50_stages,
    resnet_small_stages,
)
from cfx_jax.models.volumes.slice_wise import SliceWise

_NUM_CLASSES = 2

_TRUNKS: dict[str, Callable[..., Trunk]] = {
    "slice_resnet50": resnet50_stages,
    "slice_small": resnet_small_stages,
    "half_brain": half_brain_stages,
    "half_brain_small": half_brain_small_stages,
    "half_brain_fine": half_brain_fine_stages,
}
_ACAT = "acat_"


def build_volume_model(
    name: str,
    *,
    num_classes: int = _NUM_CLASSES,
    in_channels: int = 1,
    num_slices: int = 11,
    rngs: nnx.Rngs,
) -> SliceWise | ACAT:
    """Makes the classifier of volumes of a given name, with its published options.

    Args:
        name: ``"slice_resnet50"``, ``"slice_small"``, ``"half_brain"``, ``"half_brain_small"`` or
            ``"half_brain_fine"`` for the baseline, and with ``"acat_"`` in front for ACAT, which
            takes saliency maps too.
        num_classes: number of logits, at least 1. The half-brain networks give ``HalfBrainLogits``
            whatever it is.
        in_channels: channels of the volumes.
        num_slices: slices of every volume of ACAT (published: 11); the baseline takes any number.
        rngs: source of the initial weights, and of the draws in training.

    Returns:
        The model, in training mode.

    Raises:
        InputError: an unknown name (the message lists the valid ones), or a number below 1.

    >>> name = "acat_slice_small"
    >>> model = nnx.eval_shape(lambda: build_volume_model(name, num_slices=3, rngs=nnx.Rngs(0)))
    >>> type(model).__name__, sorted(model.attention)
    ('ACAT', ['early', 'late', 'middle'])
    """
    check_choice(name, (*_TRUNKS, *(_ACAT + trunk for trunk in _TRUNKS)), name="model")
    if not name.startswith(_ACAT):
        return build_slice_wise(name, num_classes=num_classes, in_channels=in_channels, rngs=rngs)
    trunk = name.removeprefix(_ACAT)
    return build_acat(
        trunk, num_classes=num_classes, in_channels=in_channels, num_slices=num_slices, rngs=rngs
    )


def build_slice_wise(
    trunk: str,
    *,
    num_classes: int = _NUM_CLASSES,
    in_channels: int = 1,
    dropout: float = 0.0,
    rngs: nnx.Rngs,
) -> SliceWise:
    """Makes the baseline, a network of each slice and the mean over slices.

    Args:
        trunk: a name of ``build_trunk``.
        num_classes, in_channels: as in ``build_volume_model``.
        dropout: as in ``SliceWise``.
        rngs: source of the initial weights, and of the draws in training.

    Returns:
        The model, in training mode.

    Raises:
        InputError: an unknown name, or a number out of range.

    >>> nnx.eval_shape(lambda: build_slice_wise("slice_small", rngs=nnx.Rngs(0))).head.kernel.shape
    (192, 2)
    """
    stages = build_trunk(trunk, in_channels=in_channels, rngs=rngs)
    head = build_head(trunk, stages, num_classes=num_classes, rngs=rngs)
    return SliceWise(stages, head, dropout=dropout, rngs=rngs)


def build_acat(
    trunk: str,
    *,
    num_slices: int | None,
    num_classes: int = _NUM_CLASSES,
    in_channels: int = 1,
    masks: Sequence[str] = MASKS,
    rngs: nnx.Rngs,
    **options: Any,
) -> ACAT:
    """Makes ACAT, or ACAT without some of its parts.

    The saliency branch has as many stages as it needs.

    Args:
        trunk: a name of ``build_trunk``.
        num_slices, masks: as in ``ACAT``.
        num_classes, in_channels: as in ``build_volume_model``.
        rngs: source of the initial weights, and of the draws in training.
        options: other options of ``ACAT``.

    Returns:
        The model, in training mode.

    Raises:
        InputError: an unknown name, a number out of range, or parts that do not fit.

    >>> options = dict(num_slices=3, masks=["early"])
    >>> model = nnx.eval_shape(lambda: build_acat("slice_small", **options, rngs=nnx.Rngs(0)))
    >>> len(model.saliency_trunk.stages)
    1
    """
    check_texts(masks, name="masks")
    for mask in masks:
        check_choice(mask, MASKS, name="masks")
    stages = build_trunk(trunk, in_channels=in_channels, rngs=rngs)
    head = build_head(trunk, stages, num_classes=num_classes, rngs=rngs)
    depth = num_mask_stages(masks)
    branch = build_trunk(trunk, num_stages=depth, rngs=rngs) if depth else None
    return ACAT(stages, branch, head, num_slices=num_slices, masks=masks, rngs=rngs, **options)


def build_trunk(
    name: str, *, in_channels: int = 1, num_stages: int = NUM_STAGES, rngs: nnx.Rngs
) -> Trunk:
    """Makes the stages of a given name.

    Args:
        name: ``"slice_resnet50"``, ``"slice_small"``, ``"half_brain"``, ``"half_brain_small"`` or
            ``"half_brain_fine"``.
        in_channels: channels of the volumes.
        num_stages: how many stages from the start are made, 1 to 4.
        rngs: source of the initial weights.

    Returns:
        The trunk, in training mode.

    Raises:
        InputError: an unknown name (the message lists the valid ones), or a number out of range.

    >>> nnx.eval_shape(lambda: build_trunk("slice_small", num_stages=3, rngs=nnx.Rngs(0))).widths
    (24, 24, 64)
    """
    check_choice(name, tuple(_TRUNKS), name="trunk")
    return _TRUNKS[name](in_channels=in_channels, num_stages=num_stages, rngs=rngs)


def build_head(
    name: str, trunk: Trunk, *, num_classes: int = _NUM_CLASSES, rngs: nnx.Rngs
) -> nnx.Linear | HalfBrainHead:
    """Makes the head that goes with the stages of a given name.

    Args:
        name: as in ``build_trunk``.
        trunk: the stages.
        num_classes: number of logits, at least 1; not used for half brains, whose head has two
            tasks.
        rngs: source of the initial weights.

    Returns:
        The head: features (b, ``trunk.slice_width``) -> logits.

    Raises:
        InputError: a number of classes below 1.
    """
    if name.startswith("half_brain"):
        return HalfBrainHead(trunk.slice_width, rngs=rngs)
    check_numbers({"num_classes": num_classes})
    return last_layer(trunk.slice_width, num_classes, rngs=rngs)
