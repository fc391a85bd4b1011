"""The pages that figures were drawn on, for tests that look at more than the file."""

import pytest

from cfx_jax.report.figures.canvas import Canvas


@pytest.fixture
def drawn(monkeypatch):
    """The Matplotlib figures written so far, in order."""
    figures, save = [], Canvas.save

    def recording(self, path, *, note=""):
        figures.append(self.figure)
        return save(self, path, note=note)

    monkeypatch.setattr(Canvas, "save", recording)
    return figures
