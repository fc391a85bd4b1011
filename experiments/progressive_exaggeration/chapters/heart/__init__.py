"""Figure 4a and 4b: whether hearts grow where cardiomegaly is asked for (section 4.2)."""

from experiments.progressive_exaggeration.chapters.heart.chapter import Heart as Heart
from experiments.progressive_exaggeration.chapters.heart.chapter import (
    measure_hearts as measure_hearts,
)
