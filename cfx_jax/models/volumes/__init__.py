"""Networks of volumes, stacks of slices, and of their saliency: ACAT and its competitors."""

from cfx_jax.models.volumes.acat import ACAT as ACAT
from cfx_jax.models.volumes.build import build_acat as build_acat
from cfx_jax.models.volumes.build import build_slice_wise as build_slice_wise
from cfx_jax.models.volumes.build import build_trunk as build_trunk
from cfx_jax.models.volumes.build import build_volume_model as build_volume_model
from cfx_jax.models.volumes.build_competitor import build_competitor as build_competitor
from cfx_jax.models.volumes.half_brain import HalfBrainLogits as HalfBrainLogits
from cfx_jax.models.volumes.half_brain import LesionHead as LesionHead
from cfx_jax.models.volumes.half_brain import half_brain_fine_stages as half_brain_fine_stages
from cfx_jax.models.volumes.half_brain import half_brain_small_stages as half_brain_small_stages
from cfx_jax.models.volumes.half_brain import half_brain_stages as half_brain_stages
from cfx_jax.models.volumes.half_brain import joint_decision as joint_decision
from cfx_jax.models.volumes.hsm import HSM as HSM
from cfx_jax.models.volumes.hsm import HallucinatedSaliency as HallucinatedSaliency
from cfx_jax.models.volumes.sal_class_net import SalClassNet as SalClassNet
from cfx_jax.models.volumes.se_att import SeAtt as SeAtt
from cfx_jax.models.volumes.slice_trunks import Trunk as Trunk
from cfx_jax.models.volumes.slice_trunks import resnet50_stages as resnet50_stages
from cfx_jax.models.volumes.slice_trunks import resnet_small_stages as resnet_small_stages
from cfx_jax.models.volumes.slice_vit import VisionTransformer as VisionTransformer
from cfx_jax.models.volumes.slice_vit import vit_small_stages as vit_small_stages
from cfx_jax.models.volumes.slice_vit import vit_stages as vit_stages
from cfx_jax.models.volumes.slice_wise import SliceWise as SliceWise
from cfx_jax.models.volumes.smic import SMIC as SMIC
from cfx_jax.models.volumes.sp_att import SpAtt as SpAtt
from cfx_jax.models.volumes.with_saliency import with_saliency as with_saliency
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
