"""Checks that find what may be wrong with a classifier, its images, or trained generators.

They run the classifier, or the generators, on a few images.
"""

from cfx_jax.diagnosis.diagnose import check_diagnosis as check_diagnosis
from cfx_jax.diagnosis.diagnose import diagnose as diagnose
from cfx_jax.diagnosis.finding import Finding as Finding
from cfx_jax.diagnosis.generators import GeneratorAnswers as GeneratorAnswers
from cfx_jax.diagnosis.generators import check_generators as check_generators
from cfx_jax.diagnosis.generators import diagnose_generators as diagnose_generators
from cfx_jax.diagnosis.generators import generator_answers as generator_answers
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
