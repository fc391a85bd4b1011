"""Reading the picture files of the data sets."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from cfx_jax.data.sources.decoding import decode_image, unit_range
from cfx_jax.data.user_files import DamagedFile, read_file
from cfx_jax.errors import InputError


def read_picture(
    file: Path, *, channels: int, page: str, size: tuple[int, int] | None = None
) -> Float[np.ndarray, "h w c"]:
    """Reads a picture that must be sound, since the set is published as such.

    Args:
        file: a PNG, JPEG, TIFF, BMP or WebP file.
        channels: 1 converts to grey, 3 to red, green, blue.
        page: where the set can be downloaded.
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
