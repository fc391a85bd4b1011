"""Models of other frameworks as classifiers: one image in [0, 1] -> logits.

Each framework has a file, is an extra, and is imported when it is used.
"""

from cfx_jax.adapters.adapted import Adapted as Adapted
from cfx_jax.adapters.adapted import LayerTap as LayerTap
from cfx_jax.adapters.equinox import from_equinox as from_equinox
from cfx_jax.adapters.exported import from_exported as from_exported
from cfx_jax.adapters.flax import from_linen as from_linen
from cfx_jax.adapters.flax import from_nnx as from_nnx
from cfx_jax.adapters.inputs_outputs import Inputs as Inputs
from cfx_jax.adapters.inputs_outputs import Outputs as Outputs
from cfx_jax.adapters.keras import from_keras as from_keras
from cfx_jax.adapters.torch import from_torch as from_torch
from cfx_jax.adapters.torch import is_called_back as is_called_back
from cfx_jax.adapters.torch import load_torch as load_torch
from cfx_jax.adapters.trainable import Trainable as Trainable
from cfx_jax.adapters.trainable import trainable as trainable
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
