"""The moves of images: for the trainings, and for maps that are averaged over moved images."""

from cfx_jax.attributions import AugmentationRanges
from cfx_jax.data import Transform, compose, random_affine, random_crop, random_flip
from experiments.charachon.config import CharachonConfig

_SIZE = 224  # of the images that the paper's shifts are given for
_PUBLISHED = AugmentationRanges()


def training_augmentation(config: CharachonConfig) -> Transform | None:
    """The augmentation that the configuration names, in pixels of its image size."""
    if config.augmentation == "none":
        return None
    if config.augmentation == "light":
        return compose(random_flip("horizontal"), random_crop(padding=config.image_size // 16))
    moves = random_affine(
        degrees=_PUBLISHED.rotation,
        translate=_PUBLISHED.height_shift / _SIZE,
        magnify=(1 / _PUBLISHED.zoom[1], 1 / _PUBLISHED.zoom[0]),
    )
    return compose(moves, random_flip("vertical"))


def averaging_ranges(config: CharachonConfig) -> AugmentationRanges:
    """The ranges of table II, with the flips that the networks were trained on.

    Shifts are in proportion to the image size. Table II flips in both directions. ``published``
    does too, although the paper trains on vertical flips alone; with the other augmentations a flip
    that no network has seen would measure the networks, not the averaging.
    """
    shift = _PUBLISHED.height_shift * config.image_size / _SIZE
    return AugmentationRanges(
        height_shift=shift,
        width_shift=shift,
        horizontal_flip=config.augmentation != "none",
        vertical_flip=config.augmentation == "published",
    )
