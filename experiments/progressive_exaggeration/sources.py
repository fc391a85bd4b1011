"""The images that ``--data`` may name, with all their labels, before they are split."""

from experiments.progressive_exaggeration.config import Config
from experiments.shared import open_data
from experiments.shared.data import (
    CELEBA,
    CHEXPERT,
    FACES,
    FOLDER,
    HEARTS,
    ImageRequest,
    OpenedImages,
)
from experiments.shared.stages import Workspace

KINDS = (FACES, HEARTS, CELEBA, CHEXPERT, FOLDER)
WORLDS = tuple(kind.name for kind in KINDS if not kind.has_path)
"""The synthetic worlds, by ``data``."""


def open_images(config: Config, workspace: Workspace) -> OpenedImages:
    """Opens or draws all images.

    Raises:
        InputError: ``data`` is of no known kind, or its folder cannot be used; a label that the
            images do not have, where they have several.
    """
    request = ImageRequest(
        workspace,
        config.image_size,
        config.num_images,
        config.seed,
        channels=config.channels,
        classes=config.classes,
        label=config.label,
    )
    return open_data(config.data, KINDS, request)
