"""Synthetic worlds: images drawn with their labels, lesions and exact counterfactuals."""

from cfx_jax.data.worlds.brain.synthetic_brain import SyntheticBrain as SyntheticBrain
from cfx_jax.data.worlds.chest.synthetic_chest import SyntheticChest as SyntheticChest
from cfx_jax.data.worlds.ct.synthetic_ct import SyntheticCT as SyntheticCT
from cfx_jax.data.worlds.face.synthetic_faces import SyntheticFaces as SyntheticFaces
from cfx_jax.data.worlds.fundus.synthetic_fundus import SyntheticFundus as SyntheticFundus
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
