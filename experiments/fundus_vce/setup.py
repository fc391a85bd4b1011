"""The settings, images and workspace that every stage after the split of the images needs."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data, augmentation
from experiments.shared import Workspace


class Setup(NamedTuple):
    """The settings, images and workspace of a run.

    Attributes:
        config: the configuration of the run.
        data: the images, split.
        workspace: keeps trained weights and computed arrays.
    """

    config: Config
    data: Data
    workspace: Workspace

    @property
    def augment(self) -> Callable[..., np.ndarray] | None:
        """The augmentation of all trainings, for the size of the images; None for none."""
        return augmentation(self.config)
