"""The former name of ``experiments.shared.images``, until every paper uses the new one."""

import sys

from experiments.shared import images
from experiments.shared.images import *  # noqa: F403

sys.modules[__name__] = images
