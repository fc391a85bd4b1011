"""The base of classifiers of volumes that take a saliency map, and average over slices.

The maps are computed beforehand, on the slices and the size that the classifier sees, and nothing
is sent back into them. ``with_saliency`` fixes a map, for what explains a classifier of one volume.
"""

import abc
from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.errors import InputError
from cfx_jax.models.volumes.layers import check_volumes, fold_slices
from cfx_jax.models.volumes.slice_trunks import Trunk


class SaliencyAided(nnx.Module, abc.ABC):
    """A trunk whose maps depend on the saliency too, means over positions and slices, and a head.

    Args:
        trunk: the stages that see the slices.
        head: the layer that maps features (b, ``trunk.slice_width``) to logits: ``last_layer`` or
            ``HalfBrainHead``.
    """

    def __init__(self, trunk: Trunk, head: nnx.Module) -> None:
        self.trunk, self.head = trunk, head

    def fold(
        self, volumes: Float[Array, "b s h w c"], saliency: Float[Array, "b s h w 1"]
    ) -> tuple[Float[Array, "n h v c"], Float[Array, "n h v 1"]]:
        """Cuts volumes and their saliency maps into the images that the trunk sees, and their maps.

        Args:
            volumes: (b, s, h, w, c) in [0, 1], at least 4x4 pixels.
            saliency: (b, s, h, w, 1), at least 0, of the same slices.

        Returns:
            (n, h, w, c) and (n, h, w, 1), or the halves of these.

        Raises:
            InputError: other shapes, or a saliency that is none of these volumes.
        """
        check_saliency(volumes, saliency)
        return self.trunk.fold(volumes), fold_slices(saliency, self.trunk.split)

    @abc.abstractmethod
    def features(
        self, volumes: Float[Array, "b s h w c"], saliency: Float[Array, "b s h w 1"]
    ) -> Float[Array, "b s fh fw f"]:
        """Computes the last feature maps of each slice, (b, s, fh, fw, out_features).

        Arguments and errors as ``fold``.
        """

    def classify(self, features: Float[Array, "b s fh fw f"]) -> Any:
        """Computes the head's logits of feature maps, averaged over positions and slices."""
        return self.head(self.trunk.slice_features(features).mean(axis=1))

    def __call__(
        self, volumes: Float[Array, "b s h w c"], saliency: Float[Array, "b s h w 1"]
    ) -> Any:
        """Computes the head's logits, ``classify(features(volumes, saliency))``.

        Arguments and errors as ``fold``.
        """
        return self.classify(self.features(volumes, saliency))


def check_saliency(volumes: Float[Array, "b s h w c"], saliency: Float[Array, "b s h w 1"]) -> None:
    """Checks that saliency maps belong to the volumes that they are given with.

    The check costs nothing under ``jit``.

    Args:
        volumes: (b, s, h, w, c).
        saliency: (b, s, h, w, 1).

    Raises:
        InputError: no maps of volumes, or of others.
    """
    check_volumes(saliency, 1, name="saliency")
    if saliency.shape[:-1] != volumes.shape[:-1]:
        raise InputError(
            f"saliency: expected one value for each voxel, shape {(*volumes.shape[:-1], 1)}, got"
            f" {saliency.shape}: make the map on the very slices and pixels that the network sees"
        )
