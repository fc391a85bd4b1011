"""What may be wrong with a classifier, or with the images that it is given, found by running it on
a few of them; and whether generators do what they were trained for."""

from cfx_jax.diagnosis.diagnose import check_diagnosis as check_diagnosis
from cfx_jax.diagnosis.diagnose import diagnose as diagnose
from cfx_jax.diagnosis.finding import Finding as Finding
from cfx_jax.diagnosis.generators import GeneratorAnswers as GeneratorAnswers
from cfx_jax.diagnosis.generators import check_generators as check_generators
from cfx_jax.diagnosis.generators import diagnose_generators as diagnose_generators
from cfx_jax.diagnosis.generators import generator_answers as generator_answers
from cfx_jax.faces import public as _public

__all__, __dir__ = _public(globals())
