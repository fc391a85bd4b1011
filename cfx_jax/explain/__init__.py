"""One call from a classifier and images to counterfactuals, maps, numbers and a page."""

from cfx_jax.explain.explain import explain as explain
from cfx_jax.explain.explanations import Explanations as Explanations
from cfx_jax.explain.explanations import load_explanations as load_explanations
from cfx_jax.explain.generator_methods import ALL_METHODS as ALL_METHODS
from cfx_jax.explain.generator_methods import GENERATOR_METHODS as GENERATOR_METHODS
from cfx_jax.explain.methods import METHODS as METHODS
from cfx_jax.explain.radii import automatic_radius as automatic_radius
from cfx_jax.explain.settings import Settings as Settings
from cfx_jax.explain.trained import Network as Network
from cfx_jax.explain.trained import Sibling as Sibling
from cfx_jax.explain.trained import TrainedGenerator as TrainedGenerator
from cfx_jax.explain.trained import load_generator as load_generator
from cfx_jax.explain.trained import load_sibling as load_sibling
from cfx_jax.explain.trained import make_sibling as make_sibling
from cfx_jax.explain.trained import save_generator as save_generator
from cfx_jax.explain.trained import save_sibling as save_sibling
from cfx_jax.explain.trained import sibling_of as sibling_of
from cfx_jax.explain.trained import trained_generator as trained_generator
from cfx_jax.explain.trained import with_sibling as with_sibling
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
