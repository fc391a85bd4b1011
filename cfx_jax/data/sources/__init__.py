"""Sources of labelled images, one file per data set or kind of storage."""

from cfx_jax.data.sources.arrays import ArraySource as ArraySource
from cfx_jax.data.sources.collection import ImageCollection as ImageCollection
from cfx_jax.data.sources.opening import open_images as open_images
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
