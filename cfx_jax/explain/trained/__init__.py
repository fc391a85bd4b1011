"""Generators and robust siblings that a user has trained on a classifier, and their folders."""

from cfx_jax.explain.trained.fingerprints import Fingerprint as Fingerprint
from cfx_jax.explain.trained.fingerprints import check_same_model as check_same_model
from cfx_jax.explain.trained.fingerprints import take_fingerprint as take_fingerprint
from cfx_jax.explain.trained.generators import Network as Network
from cfx_jax.explain.trained.generators import TrainedGenerator as TrainedGenerator
from cfx_jax.explain.trained.generators import check_generator as check_generator
from cfx_jax.explain.trained.generators import load_generator as load_generator
from cfx_jax.explain.trained.generators import save_generator as save_generator
from cfx_jax.explain.trained.generators import trained_generator as trained_generator
from cfx_jax.explain.trained.robust_siblings import Sibling as Sibling
from cfx_jax.explain.trained.robust_siblings import load_sibling as load_sibling
from cfx_jax.explain.trained.robust_siblings import make_sibling as make_sibling
from cfx_jax.explain.trained.robust_siblings import save_sibling as save_sibling
from cfx_jax.explain.trained.robust_siblings import sibling_of as sibling_of
from cfx_jax.explain.trained.robust_siblings import with_sibling as with_sibling
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
