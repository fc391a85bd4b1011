"""Reading the picture files of published sets, and writing those that are stored."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from cfx_jax.data.sources.decoding import decode_image, unit_range
from cfx_jax.data.user_files import DamagedFile, read_file
from cfx_jax.errors import InputError, import_extra


def read_picture(
    file: Path, *, channels: int, page: str, size: tuple[int, int] | None = None
) -> Float[np.ndarray, "h w c"]:
    """Reads a picture that must be sound, since the set is published as such.

    Args:
        file: a PNG, JPEG, TIFF, BMP or WebP file.
        channels: 1 converts to grey, 3 to red, green, blue.
        page: the address from which the set is downloaded.
        size: (height, width) to resize to, see ``decode_image``. None keeps the file's.

    Returns:
        The picture in [0, 1].

    Raises:
        InputError: the file cannot be read, or is no picture that can be used.
    """
    try:
        return unit_range(decode_image(read_file(file), channels=channels, size=size))
    except DamagedFile as error:
        raise InputError(
            f"'{file}' cannot be used ({error}): download it again from {page}"
        ) from error


def png(pixels: Shaped[np.ndarray, "h w *c"]) -> io.BytesIO:
    """Writes an image or a mask as a PNG file of 8 bits.

    Args:
        pixels: grey, or red, green, blue. float32 in [0, 1] is scaled, a mask becomes 0 and 255.

    Returns:
        The file's content.
    """
    return plain_png(np.round(pixels.astype(np.float32) * 255).astype(np.uint8))


def plain_png(values: UInt8[np.ndarray, "h w *c"]) -> io.BytesIO:
    """Writes whole numbers as the values of a PNG file."""
    cv2 = import_extra("cv2", "writing image files")
    if values.ndim == 3 and values.shape[-1] == 3:
        values = values[..., ::-1]  # OpenCV writes blue first
    return io.BytesIO(cv2.imencode(".png", values)[1].tobytes())
