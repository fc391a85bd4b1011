"""The parts of a synthetic portrait: attributes, head, skin, features, hair, make-up, camera."""

from cfx_jax.data.worlds.face.attributes import ATTRIBUTES as ATTRIBUTES
from cfx_jax.data.worlds.face.attributes import CLASS_NAMES as CLASS_NAMES
from cfx_jax.data.worlds.face.attributes import INDEPENDENT as INDEPENDENT
from cfx_jax.data.worlds.face.attributes import Attributes as Attributes
from cfx_jax.data.worlds.face.attributes import sample_attributes as sample_attributes
from cfx_jax.data.worlds.face.person import Person as Person
from cfx_jax.data.worlds.face.person import paint_person as paint_person
from cfx_jax.data.worlds.face.person import sample_person as sample_person
from cfx_jax.data.worlds.face.photo import Photo as Photo
from cfx_jax.data.worlds.face.photo import background as background
from cfx_jax.data.worlds.face.photo import camera_noise as camera_noise
from cfx_jax.data.worlds.face.photo import photograph as photograph
from cfx_jax.data.worlds.face.photo import sample_photo as sample_photo
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
