"""What tests ask of a drawn page."""

from itertools import combinations

import numpy as np


def texts(figure):
    """Every string on the page."""
    return [text.get_text() for text in visible_texts(figure)]


def visible_texts(figure):
    found = figure.findobj(lambda artist: hasattr(artist, "get_text") and artist.get_visible())
    return [text for text in found if text.get_text().strip()]


def assert_texts_are_apart(figure):
    """No two texts overlap, none leaves the page, none lies on a panel it does not belong to."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in own_texts(figure)]
    width, height = figure.canvas.get_width_height()
    for name, box in boxes:
        assert box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1, name
    for (name, box), (other, other_box) in combinations(boxes, 2):
        assert overlap(box, other_box) < 1, (name, other)
    for axes in figure.axes:
        if axes.axison:
            panel = axes.get_window_extent(renderer)
            assert all(overlap(box, panel) < 1 for _, box in boxes)


def own_texts(figure):
    """Titles, names, legends and notes: what is placed on the page itself."""
    return [text for text in figure.texts if text.get_text().strip()]


def overlap(first, second):
    """Pixels by which two boxes overlap in their narrower direction."""
    across = min(first.x1, second.x1) - max(first.x0, second.x0)
    along = min(first.y1, second.y1) - max(first.y0, second.y0)
    return min(across, along)


def colour_at(axes, row, column, pixels):
    """The colour in a saved page of pixel (row, column) of the image drawn in axes."""
    x, y = axes.transData.transform((column, row))
    return np.asarray(pixels)[pixels.shape[0] - 1 - int(y), int(x)]
