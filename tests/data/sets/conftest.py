import pytest
from set_layouts import WRITERS, open_set


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A function: name of a set -> (raw folder, work folder) of a tiny one that has been built."""
    top = tmp_path_factory.mktemp("sets")

    def build(name):
        raw = top / "raw" / name
        if not raw.exists():
            WRITERS[name](raw)
            open_set(name, raw, top / "work")
        return raw, top / "work"

    return build


@pytest.fixture
def opened(folders):
    """A function: name of a set and options -> the tiny one, built before."""
    return lambda name, **options: open_set(name, None, folders(name)[1], **options)
