"""The parts of a synthetic MRI slice: skull, brain, ventricles, tumours, look-alikes, scanner."""

from cfx_jax.data.worlds.brain.anatomy import Anatomy as Anatomy
from cfx_jax.data.worlds.brain.anatomy import sample_anatomy as sample_anatomy
from cfx_jax.data.worlds.brain.distractors import Distractors as Distractors
from cfx_jax.data.worlds.brain.distractors import add_distractors as add_distractors
from cfx_jax.data.worlds.brain.distractors import sample_distractors as sample_distractors
from cfx_jax.data.worlds.brain.scanner import Scanner as Scanner
from cfx_jax.data.worlds.brain.scanner import acquire as acquire
from cfx_jax.data.worlds.brain.scanner import receiver_noise as receiver_noise
from cfx_jax.data.worlds.brain.scanner import ripples as ripples
from cfx_jax.data.worlds.brain.scanner import sample_scanner as sample_scanner
from cfx_jax.data.worlds.brain.scanner import sensitivity as sensitivity
from cfx_jax.data.worlds.brain.scanner import tag as tag
from cfx_jax.data.worlds.brain.skull import head as head
from cfx_jax.data.worlds.brain.skull import head_cover as head_cover
from cfx_jax.data.worlds.brain.tissue import add_brain as add_brain
from cfx_jax.data.worlds.brain.tumours import KINDS as KINDS
from cfx_jax.data.worlds.brain.tumours import Tumour as Tumour
from cfx_jax.data.worlds.brain.tumours import add_tumour as add_tumour
from cfx_jax.data.worlds.brain.tumours import sample_tumour as sample_tumour
from cfx_jax.data.worlds.brain.tumours import tumour_cover as tumour_cover
from cfx_jax.data.worlds.brain.ventricles import add_ventricles as add_ventricles
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
