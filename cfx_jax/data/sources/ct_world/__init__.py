"""The parts of a synthetic CT scan: head and infarcts, chest and ground glass, what looks like
them, the scanner.
"""

from cfx_jax.data.sources.ct_world.ground_glass import GRADES as GRADES
from cfx_jax.data.sources.ct_world.pneumonia import pneumonia_scene as pneumonia_scene
from cfx_jax.data.sources.ct_world.scanner import acquire as acquire
from cfx_jax.data.sources.ct_world.scanner import disturbances as disturbances
from cfx_jax.data.sources.ct_world.scanner import sample_scanner as sample_scanner
from cfx_jax.data.sources.ct_world.scene import Scene as Scene
from cfx_jax.data.sources.ct_world.scene import numbers_of as numbers_of
from cfx_jax.data.sources.ct_world.stack import levels_of as levels_of
from cfx_jax.data.sources.ct_world.stroke import SIDES as SIDES
from cfx_jax.data.sources.ct_world.stroke import stroke_scene as stroke_scene
from cfx_jax.data.sources.ct_world.territories import TERRITORIES as TERRITORIES
