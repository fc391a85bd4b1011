"""Synthetic worlds: images drawn with their labels, lesions and exact counterfactuals."""

from cfx_jax.data.worlds.brain.source import SyntheticBrain as SyntheticBrain
from cfx_jax.data.worlds.chest.source import SyntheticChest as SyntheticChest
from cfx_jax.data.worlds.ct.source import SyntheticCT as SyntheticCT
from cfx_jax.data.worlds.face.source import SyntheticFaces as SyntheticFaces
from cfx_jax.data.worlds.fundus.source import SyntheticFundus as SyntheticFundus
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
