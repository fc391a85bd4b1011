"""Sources of labelled images, one file per data set or kind of storage."""

from cfx_jax.data.sources.arrays import ArraySource as ArraySource
from cfx_jax.data.sources.image_folder import ImageFolder as ImageFolder
from cfx_jax.faces import public as _public

__all__, __dir__ = _public(globals())
