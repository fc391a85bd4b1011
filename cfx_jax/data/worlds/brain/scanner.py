"""From the head to the slice: motion, uneven coils, blur, scaling, noise, lettering."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.data.worlds.drawing import Frame, smooth_noise, soften, whole_picture
from cfx_jax.data.worlds.lettering import letters

_BRIGHT = 0.4  # what is brighter than this leaves ghosts when the head moves
_ECHOES = 4
TAG = "GD"
_TAG_PLACE, _TAG_HEIGHT = (-0.82, 0.86), 0.13


class Scanner(NamedTuple):
    """The settings with which one slice was taken.

    Attributes:
        blur: standard deviation of the blur in unit coordinates.
        gain: factor of brightness.
        gamma: exponent of brightness.
        bias: amplitude of the uneven sensitivity.
        noise: standard deviation of each of the signal's two parts.
        echo_distance: the distance of one motion ghost from the next, in unit coordinates.
        echo_strength: the strength of the first motion ghost, as a share of what causes it; the
            next are fainter.
        echo_axis: 0 where ghosts are displaced downwards and upwards, 1 where sideways.
    """

    blur: float
    gain: float
    gamma: float
    bias: float
    noise: float
    echo_distance: float
    echo_strength: float
    echo_axis: int


def sample_scanner(rng: np.random.Generator) -> Scanner:
    """Draws the setting of one slice."""
    return Scanner(
        blur=rng.uniform(0.0, 0.012),
        gain=rng.uniform(0.85, 1.10),
        gamma=rng.uniform(0.85, 1.2),
        bias=rng.uniform(0.02, 0.11),
        noise=rng.uniform(0.008, 0.026),
        echo_distance=rng.uniform(0.10, 0.22),
        echo_strength=rng.uniform(0.15, 0.40),
        echo_axis=int(rng.random() < 0.5),
    )


def sensitivity(
    rng: np.random.Generator, scanner: Scanner, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """The smooth factor by which coils see each place."""
    return np.float32(scanner.gain) * (
        1 + np.float32(scanner.bias) * smooth_noise(rng, frame.size, 3)
    )


def receiver_noise(
    rng: np.random.Generator, scanner: Scanner, frame: Frame
) -> Float[np.ndarray, "2 h w"]:
    """Noise of the real and the imaginary part of the signal.

    Both members of a counterfactual pair share it.
    """
    return scanner.noise * rng.standard_normal((2, frame.size, frame.size), dtype=np.float32)


def ripples(
    scene: Float[np.ndarray, "h w"], scanner: Scanner, frame: Frame
) -> Float[np.ndarray, "h w"]:
    """The artefacts of motion: ever fainter copies of the bright parts, of alternating sign.

    They are displaced to both sides.
    """
    bright = np.clip(scene - _BRIGHT, 0, None)
    step = max(1, round(scanner.echo_distance * frame.radius * frame.size))
    total = np.zeros_like(scene)
    for number in range(1, _ECHOES + 1):
        copies = sum(np.roll(bright, sign * number * step, scanner.echo_axis) for sign in (-1, 1))
        total += scanner.echo_strength * (-1) ** (number + 1) / number * copies
    return total


def acquire(
    scene: Float[np.ndarray, "h w"],
    scanner: Scanner,
    sensitivity: Float[np.ndarray, "h w"],
    noise: Float[np.ndarray, "2 h w"],
    lettering: Float[np.ndarray, "h w"],
    frame: Frame,
) -> Float[np.ndarray, "h w 1"]:
    """Takes the slice of a head.

    Args:
        scene: brightness of the head.
        scanner: the settings by which the slice is taken.
        sensitivity: the sensitivity of the coils, as :func:`sensitivity` draws it.
        noise: the noise of the signal; its magnitude is what is seen, so that noise brightens the
            dark (Gudbjartsson and Patz, "The Rician distribution of noisy MRI data", 1995).
        lettering: opacity of the letters, in [0, 1].
        frame: the picture's frame.

    Returns:
        Brightness in [0, 1].
    """
    signal = (
        np.clip(soften(scene, frame, scanner.blur), 0, None) ** np.float32(scanner.gamma)
        * sensitivity
    )
    magnitude = np.hypot(signal + noise[0], noise[1])
    return np.clip(magnitude + lettering * (1 - magnitude), 0, 1).astype(np.float32)[..., None]


def tag(size: int) -> Float[np.ndarray, "h w"]:
    """The planted confounder: two letters in the lower left corner of the picture."""
    return letters(whole_picture(size), TAG, _TAG_PLACE, _TAG_HEIGHT)
