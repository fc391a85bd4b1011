"""Photographs of the eye made ready for a classifier.

Their contrast is made even, the circle of the eye is found, and its square is cut out.
"""

from cfx_jax.data.fundus.batch import Job as Job
from cfx_jax.data.fundus.batch import PreparedFiles as PreparedFiles
from cfx_jax.data.fundus.batch import prepare_files as prepare_files
from cfx_jax.data.fundus.circle import fit_circle as fit_circle
from cfx_jax.data.fundus.clahe import clahe as clahe
from cfx_jax.data.fundus.crop import crop_mask as crop_mask
from cfx_jax.data.fundus.crop import crop_to_circle as crop_to_circle
from cfx_jax.data.fundus.pixels import Circle as Circle
from cfx_jax.data.fundus.pixels import UnusableImage as UnusableImage
from cfx_jax.data.fundus.preprocess import Prepared as Prepared
from cfx_jax.data.fundus.preprocess import preprocess as preprocess
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
