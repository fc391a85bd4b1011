"""The parts of a synthetic retinal photograph: anatomy, vessels, lesions, look-alikes, camera."""

from cfx_jax.data.worlds.fundus.anatomy import Anatomy as Anatomy
from cfx_jax.data.worlds.fundus.anatomy import eye_coverage as eye_coverage
from cfx_jax.data.worlds.fundus.anatomy import ground as ground
from cfx_jax.data.worlds.fundus.anatomy import sample_anatomy as sample_anatomy
from cfx_jax.data.worlds.fundus.camera import Camera as Camera
from cfx_jax.data.worlds.fundus.camera import add_mark as add_mark
from cfx_jax.data.worlds.fundus.camera import mark_opacity as mark_opacity
from cfx_jax.data.worlds.fundus.camera import photograph as photograph
from cfx_jax.data.worlds.fundus.camera import sample_camera as sample_camera
from cfx_jax.data.worlds.fundus.camera import sensor_noise as sensor_noise
from cfx_jax.data.worlds.fundus.degradation import Faults as Faults
from cfx_jax.data.worlds.fundus.degradation import displace as displace
from cfx_jax.data.worlds.fundus.degradation import sample_faults as sample_faults
from cfx_jax.data.worlds.fundus.degradation import spoil as spoil
from cfx_jax.data.worlds.fundus.distractors import Distractors as Distractors
from cfx_jax.data.worlds.fundus.distractors import add_distractors as add_distractors
from cfx_jax.data.worlds.fundus.lesions import STAGES as STAGES
from cfx_jax.data.worlds.fundus.lesions import Lesions as Lesions
from cfx_jax.data.worlds.fundus.lesions import add_lesions as add_lesions
from cfx_jax.data.worlds.fundus.lesions import sample_lesions as sample_lesions
from cfx_jax.data.worlds.fundus.vessels import vessel_transmission as vessel_transmission
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
