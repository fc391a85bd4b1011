"""Table 3 and Figure 6: whether explanations show what a classifier confounds with the label."""

from experiments.progressive_exaggeration.chapters.confounder.report import BIASED as BIASED
from experiments.progressive_exaggeration.chapters.confounder.report import UNBIASED as UNBIASED
from experiments.progressive_exaggeration.chapters.confounder.report import Bias as Bias
from experiments.progressive_exaggeration.chapters.confounder.study import study_bias as study_bias
