"""Figure 4a and 4b: whether hearts grow where cardiomegaly is asked for (Singla et al. 2020,
section 4.2).
"""

from experiments.progressive_exaggeration.heart.chapter import Heart as Heart
from experiments.progressive_exaggeration.heart.chapter import heart as heart
