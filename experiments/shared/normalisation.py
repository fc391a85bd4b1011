"""The former name of ``experiments.shared.training``, until every paper uses the new one."""

import sys

from experiments.shared import training
from experiments.shared.training import *  # noqa: F403

sys.modules[__name__] = training
