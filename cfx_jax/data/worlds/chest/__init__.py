"""The parts of a synthetic chest radiograph: body, lungs, heart, bones, opacities, film."""

from cfx_jax.data.worlds.chest.anatomy import Anatomy as Anatomy
from cfx_jax.data.worlds.chest.anatomy import sample_anatomy as sample_anatomy
from cfx_jax.data.worlds.chest.chest import Parts as Parts
from cfx_jax.data.worlds.chest.chest import sample_parts as sample_parts
from cfx_jax.data.worlds.chest.chest import with_heart as with_heart
from cfx_jax.data.worlds.chest.distractors import Distractors as Distractors
from cfx_jax.data.worlds.chest.distractors import sample_distractors as sample_distractors
from cfx_jax.data.worlds.chest.film import Film as Film
from cfx_jax.data.worlds.chest.film import expose as expose
from cfx_jax.data.worlds.chest.film import film_noise as film_noise
from cfx_jax.data.worlds.chest.film import sample_film as sample_film
from cfx_jax.data.worlds.chest.film import side_marker as side_marker
from cfx_jax.data.worlds.chest.film import tag as tag
from cfx_jax.data.worlds.chest.mediastinum import enlarge_heart as enlarge_heart
from cfx_jax.data.worlds.chest.mediastinum import heart_cover as heart_cover
from cfx_jax.data.worlds.chest.opacities import MOST_OPACITIES as MOST_OPACITIES
from cfx_jax.data.worlds.chest.opacities import Opacity as Opacity
from cfx_jax.data.worlds.chest.opacities import opacity_boxes as opacity_boxes
from cfx_jax.data.worlds.chest.opacities import opacity_density as opacity_density
from cfx_jax.data.worlds.chest.opacities import sample_opacities as sample_opacities
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
