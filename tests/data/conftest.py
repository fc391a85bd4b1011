import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

_BESIDE_REPOSITORY = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def shared_data():
    """A function: name of a real data set -> its path, skipping the test where it is not there."""
    folder = Path(os.environ.get("CFX_SHARED_DATA", _BESIDE_REPOSITORY))

    def find(name):
        path = folder / name
        if not path.exists():
            pytest.skip(
                f"the real data set {path} is not here; CFX_SHARED_DATA can name its folder"
            )
        return path

    return find


@pytest.fixture
def make_folder(tmp_path):
    """A function: {"class/file.png": pixels or bytes} -> a folder that holds these files, written
    by Pillow.
    """

    def make(files, root=tmp_path / "images"):
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                Image.fromarray(np.asarray(content)).save(path)
        return root

    return make
