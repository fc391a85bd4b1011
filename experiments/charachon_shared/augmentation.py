"""The moves of images: for the trainings, and for maps that are averaged over moved images."""

from cfx_jax.attributions import AugmentationRanges
from cfx_jax.data import Transform, compose, random_affine, random_flip
from experiments.charachon_shared.config import CharachonConfig
from experiments.shared import light_augmentation

# Charachon et al. 2020, table II
_DEGREES = 5.0  # rotations are uniform in [-5, 5] degrees
_SHIFT = 10.0  # shifts are uniform in [-10, 10] pixels of images of 224 x 224
_SIZE = 224
_ZOOM = (0.9, 1.0)  # below 1 magnifies


def training_augmentation(config: CharachonConfig) -> Transform | None:
    """The augmentation that the configuration names, in pixels of its image size."""
    if config.augmentation == "none":
        return None
    if config.augmentation == "light":
        return light_augmentation(config.image_size)
    moves = random_affine(
        degrees=_DEGREES,
        translate=_SHIFT / _SIZE,
        magnify=(1 / _ZOOM[1], 1 / _ZOOM[0]),
    )
    return compose(moves, random_flip("vertical"))


def averaging_ranges(config: CharachonConfig) -> AugmentationRanges:
    """The ranges of table II, with the flips that the networks were trained on.

    Shifts are in proportion to the image size. Table II flips in both directions. ``published``
    does too, although the paper trains on vertical flips alone; with the other augmentations a flip
    that no network has seen would measure the networks, not the averaging.
    """
    shift = _SHIFT * config.image_size / _SIZE
    return AugmentationRanges(
        rotation=_DEGREES,
        height_shift=shift,
        width_shift=shift,
        zoom=_ZOOM,
        horizontal_flip=config.augmentation != "none",
        vertical_flip=config.augmentation == "published",
    )
