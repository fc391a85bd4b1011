"""The parts of a synthetic portrait: attributes, head, skin, features, hair, make-up, glasses,
light and camera.
"""

from cfx_jax.data.sources.face_world.attributes import ATTRIBUTES as ATTRIBUTES
from cfx_jax.data.sources.face_world.attributes import CLASS_NAMES as CLASS_NAMES
from cfx_jax.data.sources.face_world.attributes import INDEPENDENT as INDEPENDENT
from cfx_jax.data.sources.face_world.attributes import Attributes as Attributes
from cfx_jax.data.sources.face_world.attributes import sample_attributes as sample_attributes
from cfx_jax.data.sources.face_world.person import Person as Person
from cfx_jax.data.sources.face_world.person import paint_person as paint_person
from cfx_jax.data.sources.face_world.person import sample_person as sample_person
from cfx_jax.data.sources.face_world.photo import Photo as Photo
from cfx_jax.data.sources.face_world.photo import background as background
from cfx_jax.data.sources.face_world.photo import camera_noise as camera_noise
from cfx_jax.data.sources.face_world.photo import photograph as photograph
from cfx_jax.data.sources.face_world.photo import sample_photo as sample_photo
