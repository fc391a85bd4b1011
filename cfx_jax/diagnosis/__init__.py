"""What may be wrong with a classifier, or with the images that it is given, found by running it on a few of them."""

from cfx_jax.diagnosis.diagnose import check_diagnosis as check_diagnosis
from cfx_jax.diagnosis.diagnose import diagnose as diagnose
from cfx_jax.diagnosis.finding import Finding as Finding
