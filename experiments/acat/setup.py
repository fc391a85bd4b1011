"""The settings, the scans of one kind and the workspace that every stage needs."""

from typing import NamedTuple

from experiments.acat.config import Config
from experiments.acat.data import Scans, load_scans
from experiments.shared import Workspace


class Setup(NamedTuple):
    """The settings, the scans of one kind and the workspace that every stage needs.

    Attributes:
        config: the configuration of the run.
        scans: the scans.
        workspace: keeps trained weights and computed arrays.
    """

    config: Config
    scans: Scans
    workspace: Workspace


def prepare(config: Config, kind: str, workspace: Workspace) -> Setup:
    """Opens or draws the scans of one kind.

    Raises:
        InputError: no such kind, or its folder cannot be used.
    """
    return Setup(config, load_scans(config, kind, workspace), workspace)
