"""The settings, images and workspace that every stage needs."""

from typing import NamedTuple

from cfx_jax.data import Transform, random_flip
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.data import Data, load_images
from experiments.shared import Workspace


class Setup(NamedTuple):
    """The settings, images and workspace that every stage needs.

    Attributes:
        config: the configuration of the run.
        data: the images with their labels, one of which is explained.
        workspace: keeps trained weights and computed arrays.
    """

    config: Config
    data: Data
    workspace: Workspace

    @property
    def augmentation(self) -> Transform | None:
        """The augmentation of all trainings; None for none."""
        return random_flip("horizontal") if self.config.mirrored else None

    def labelled(self, label: str) -> "Setup":
        """The setup of one explained label's classifier: of that label alone, or of all labels."""
        names = (label,) if self.config.one_label else self.data.names
        return self._replace(data=self.data.of(names, label))


def prepare(config: Config, workspace: Workspace) -> Setup:
    """Opens or draws the images, and splits them.

    Raises:
        InputError: images that cannot be used.
    """
    return Setup(config, load_images(config, workspace), workspace)
