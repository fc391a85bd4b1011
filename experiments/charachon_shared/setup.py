"""The settings, images and classifier that every stage of the two experiments needs."""

import dataclasses
from typing import Generic, NamedTuple, TypeVar

from experiments.charachon_shared.classifier import Network, train_classifier
from experiments.charachon_shared.config import CharachonConfig
from experiments.charachon_shared.data import Data, load_images
from experiments.shared import Workspace, fit_to_images, with_image_shape

C = TypeVar("C", bound=CharachonConfig)


class Setup(NamedTuple, Generic[C]):
    """The settings, images and classifier that every stage needs.

    Attributes:
        config: the configuration of the run.
        data: the images.
        network: the classifier that is explained, frozen.
        workspace: keeps trained weights and computed arrays.
    """

    config: C
    data: Data
    network: Network
    workspace: Workspace

    @property
    def settings(self) -> C:
        """The configuration with what the images decide: channels, sizes, means, steps."""
        classifier = fit_to_images(self.config.classifier, self.data.train, self.workspace)
        config = dataclasses.replace(self.config, classifier=classifier)
        return with_image_shape(config, self.data.test.shape)


def prepare(config: C, workspace: Workspace) -> Setup[C]:
    """Loads the images and trains the classifier.

    Raises:
        InputError: images that cannot be used, or a classifier that cannot be explained.
    """
    data = load_images(config, workspace)
    return Setup(config, data, train_classifier(config, data, workspace), workspace)
