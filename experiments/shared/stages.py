"""The former name of ``experiments.shared.workspace``, until every paper uses the new one."""

import sys

from experiments.shared import workspace
from experiments.shared.workspace import *  # noqa: F403

sys.modules[__name__] = workspace
