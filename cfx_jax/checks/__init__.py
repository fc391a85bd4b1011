"""Checks of what a user hands in, made before anything is traced.

Shapes, ranks and dtypes are checked always; values (range, NaN) only where they are known, that is
outside of ``jit``, ``vmap`` and ``grad``. Every check raises ``InputError``, which this package
exports too, with one line.
"""

from cfx_jax.checks.classifiers import check_classes as check_classes
from cfx_jax.checks.classifiers import check_classifier as check_classifier
from cfx_jax.checks.classifiers import check_target as check_target
from cfx_jax.checks.classifiers import check_targets as check_targets
from cfx_jax.checks.classifiers import num_classes as num_classes
from cfx_jax.checks.classifiers import number_of_logits as number_of_logits
from cfx_jax.checks.configurations import Limits as Limits
from cfx_jax.checks.configurations import check_configuration as check_configuration
from cfx_jax.checks.configurations import limits as limits
from cfx_jax.checks.images import check_array as check_array
from cfx_jax.checks.images import check_dtype as check_dtype
from cfx_jax.checks.images import check_image as check_image
from cfx_jax.checks.images import check_image_or_volume as check_image_or_volume
from cfx_jax.checks.images import check_images as check_images
from cfx_jax.checks.images import check_images_or_volumes as check_images_or_volumes
from cfx_jax.checks.images import check_unit_range as check_unit_range
from cfx_jax.checks.images import check_volume as check_volume
from cfx_jax.checks.options import as_numpy as as_numpy
from cfx_jax.checks.options import check_at_least as check_at_least
from cfx_jax.checks.options import check_between_0_and_1 as check_between_0_and_1
from cfx_jax.checks.options import check_callable as check_callable
from cfx_jax.checks.options import check_choice as check_choice
from cfx_jax.checks.options import check_count as check_count
from cfx_jax.checks.options import check_flag as check_flag
from cfx_jax.checks.options import check_integer as check_integer
from cfx_jax.checks.options import check_key as check_key
from cfx_jax.checks.options import check_norm as check_norm
from cfx_jax.checks.options import check_num_steps as check_num_steps
from cfx_jax.checks.options import check_number as check_number
from cfx_jax.checks.options import check_number_or_one_each as check_number_or_one_each
from cfx_jax.checks.options import check_positive as check_positive
from cfx_jax.checks.options import check_real as check_real
from cfx_jax.checks.options import check_seed as check_seed
from cfx_jax.checks.options import check_text as check_text
from cfx_jax.checks.options import check_texts as check_texts
from cfx_jax.checks.options import check_type as check_type
from cfx_jax.checks.options import is_concrete as is_concrete
from cfx_jax.checks.options import shape_and_dtype as shape_and_dtype
from cfx_jax.errors import InputError as InputError
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
