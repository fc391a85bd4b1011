"""Sources of labelled images, one file per data set or kind of storage."""

from cfx_jax.data.sources.array_source import ArraySource as ArraySource
from cfx_jax.data.sources.image_folder import ImageFolder as ImageFolder
from cfx_jax.data.sources.synthetic_brain import SyntheticBrain as SyntheticBrain
from cfx_jax.data.sources.synthetic_chest import SyntheticChest as SyntheticChest
from cfx_jax.data.sources.synthetic_faces import SyntheticFaces as SyntheticFaces
from cfx_jax.data.sources.synthetic_fundus import SyntheticFundus as SyntheticFundus
