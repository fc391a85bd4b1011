"""The parts of a synthetic chest radiograph: trunk, lungs, heart, bones, vessels, opacities,
look-alikes, film.
"""

from cfx_jax.data.sources.chest_world.anatomy import Anatomy as Anatomy
from cfx_jax.data.sources.chest_world.anatomy import sample_anatomy as sample_anatomy
from cfx_jax.data.sources.chest_world.chest import Parts as Parts
from cfx_jax.data.sources.chest_world.chest import sample_parts as sample_parts
from cfx_jax.data.sources.chest_world.chest import with_heart as with_heart
from cfx_jax.data.sources.chest_world.distractors import Distractors as Distractors
from cfx_jax.data.sources.chest_world.distractors import sample_distractors as sample_distractors
from cfx_jax.data.sources.chest_world.film import Film as Film
from cfx_jax.data.sources.chest_world.film import expose as expose
from cfx_jax.data.sources.chest_world.film import film_noise as film_noise
from cfx_jax.data.sources.chest_world.film import sample_film as sample_film
from cfx_jax.data.sources.chest_world.film import side_marker as side_marker
from cfx_jax.data.sources.chest_world.film import tag as tag
from cfx_jax.data.sources.chest_world.mediastinum import enlarged as enlarged
from cfx_jax.data.sources.chest_world.mediastinum import heart_cover as heart_cover
from cfx_jax.data.sources.chest_world.opacities import MOST_OPACITIES as MOST_OPACITIES
from cfx_jax.data.sources.chest_world.opacities import Opacity as Opacity
from cfx_jax.data.sources.chest_world.opacities import opacity_boxes as opacity_boxes
from cfx_jax.data.sources.chest_world.opacities import opacity_density as opacity_density
from cfx_jax.data.sources.chest_world.opacities import sample_opacities as sample_opacities
