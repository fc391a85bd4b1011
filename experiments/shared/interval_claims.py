"""The former name of ``experiments.shared.claims``, until every paper uses the new one."""

import sys

from experiments.shared import claims
from experiments.shared.claims import *  # noqa: F403

sys.modules[__name__] = claims
