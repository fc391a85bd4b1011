"""The parts of a synthetic CT scan: head, infarcts, chest, ground glass, look-alikes, scanner."""

from cfx_jax.data.worlds.ct.ground_glass import GRADES as GRADES
from cfx_jax.data.worlds.ct.pneumonia import pneumonia_scene as pneumonia_scene
from cfx_jax.data.worlds.ct.scanner import acquire as acquire
from cfx_jax.data.worlds.ct.scanner import disturbances as disturbances
from cfx_jax.data.worlds.ct.scanner import sample_scanner as sample_scanner
from cfx_jax.data.worlds.ct.scene import Scene as Scene
from cfx_jax.data.worlds.ct.scene import numbers_of as numbers_of
from cfx_jax.data.worlds.ct.stack import levels_of as levels_of
from cfx_jax.data.worlds.ct.stroke import SIDES as SIDES
from cfx_jax.data.worlds.ct.stroke import stroke_scene as stroke_scene
from cfx_jax.data.worlds.ct.territories import TERRITORIES as TERRITORIES
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
