"""The saliency map as one more channel of the image (SalClassNet), a competitor of ACAT.

Murabito et al. 2018, "Top-down saliency detection driven by visual classification"; in Fontanella
et al. 2023, appendix E.

Deviation, as there: the original trains a network of saliency maps together with the classifier;
that worked badly on CT, so the maps are computed beforehand. The first kernel alone has another
shape than the baseline's: a warm start skips it, see ``warm_start.shape_mismatches``.
"""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from cfx_jax.errors import InputError
from cfx_jax.models.volumes.layers import check_volumes, run_stages
from cfx_jax.models.volumes.saliency_aided import SaliencyAided, check_saliency
from cfx_jax.models.volumes.slice_trunks import Trunk


class SalClassNet(SaliencyAided):
    """A trunk that sees the channels of the volume and, after them, its saliency.

    Args:
        trunk: stages of one channel more than the volumes have. ``resnet50_stages(in_channels=2)``
            repeats each channel three times, so that its stem has 6 inputs, as released;
            ``repeats=1`` gives the same functions with fewer weights.
        head: the layer that maps features (b, ``trunk.slice_width``) to logits: ``last_layer`` or
            ``HalfBrainHead``.

    Raises:
        InputError: a trunk of fewer than two channels.
    """

    def __init__(self, trunk: Trunk, head: nnx.Module) -> None:
        super().__init__(trunk, head)
        if trunk.in_channels < 2:
            raise InputError(
                "trunk: expected at least 2 input channels, those of the volume and its saliency,"
                f" got {trunk.in_channels}: build it with in_channels=2"
            )

    def features(
        self, volumes: Float[Array, "b s h w c"], saliency: Float[Array, "b s h w 1"]
    ) -> Float[Array, "b s fh fw f"]:
        """Computes the last feature maps of each slice, (b, s, fh, fw, out_features).

        Args:
            volumes: (b, s, h, w, in_channels - 1) in [0, 1], at least 4x4 pixels.
            saliency: (b, s, h, w, 1), at least 0, of the same slices.

        Raises:
            InputError: other shapes, or a saliency that is none of these volumes.
        """
        check_volumes(volumes, self.trunk.in_channels - 1)
        check_saliency(volumes, saliency)
        images = self.trunk.fold(jnp.concatenate([volumes, saliency], axis=-1))
        return self.trunk.unfold(run_stages(self.trunk.stages, images, {}), len(volumes))
