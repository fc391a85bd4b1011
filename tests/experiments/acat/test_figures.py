"""What ACAT's figures are drawn from, on made-up numbers."""

import numpy as np
import pytest

from experiments.acat import figures
from experiments.acat.config import Config
from experiments.acat.detection import Detection, Shown
from experiments.acat.facts import StoredFacts
from experiments.acat.figures import Gallery
from experiments.acat.rows import rows_of
from experiments.acat.scans import Scans
from experiments.acat.sources import DETECTORS
from experiments.acat.study import Attention, Run, Study

RNG = np.random.default_rng(0)
STEPS = (3.0, 0.1)
IMAGE = RNG.uniform(0.2, 0.8, (2, 5, 5))
MASK = np.zeros((2, 5, 5))
MASK[0, 1:3, 2] = 1
TRACE = np.array([[0.9, 0.5, 0.1], [0.8, 0.7, 0.6]])
SHOWN = Shown(
    slices=np.array([1, 0]),
    image=IMAGE,
    mask=MASK,
    reconstruction=IMAGE - 0.1,
    counterfactual=IMAGE + 0.9,
    change=RNG.random((2, 5, 5)),
    maps=RNG.random((2, len(DETECTORS), 5, 5)),
    walks=RNG.random((2, 2, 5, 5)),
    walk_traces=np.array([[[0.9, 0.3, 0.4], [0.9, 0.8, 0.7]], [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]]),
    initial=np.array([0.95, 0.85]),
    trace=TRACE,
)
FACTORS, SWEEP = (
    np.tile([1e-5, -1e-5, 2e-5, -2e-5], (2, 1)),
    np.array([[0.8, 0.9, 0.6, 1.0], [0.4, 0.5, 0.2, 0.6]]),
)
ATTENTION = Attention(
    np.array([2]), IMAGE[:1], MASK[1:], RNG.random((1, 5, 5)), RNG.random((1, 3, 5, 5))
)


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """A gallery of one run, and what its figures hand over to be drawn, by the name of the file."""
    found = {}
    for name in ("saliency_grid", "counterfactual_grid", "curve"):
        monkeypatch.setattr(
            figures, name, lambda path, *what, **options: found.update({path.stem: what})
        )
    detection = Detection(
        np.arange(2), {}, {}, np.arange(2), TRACE, TRACE[:, 0], FACTORS, SWEEP, SHOWN
    )
    images = np.zeros((2, 3, 5, 5, 1), np.float32)
    labels, facts = np.ones(2, int), StoredFacts({"image": images})
    scans = Scans(
        "made up",
        images,
        labels,
        labels,
        ("no", "yes"),
        False,
        None,
        facts,
        None,
        None,
        "a note",
        None,
    )
    study = Study(
        scans,
        rows_of(Config(rows=())),
        {},
        (Run(None, {}, detection, ATTENTION),),
        {},
        30.0,
        0,
        None,
    )
    return Gallery(tmp_path, study, STEPS), found


def test_figure_2_shows_the_map_and_the_three_masks(drawn):
    gallery, found = drawn
    gallery.attention()
    (rows, columns), (row,) = (
        found["figure_2_attention_made up"],
        found["figure_2_attention_made up"][0],
    )
    assert len(rows) == 1 and [each.method for each in columns[1:]] == ["early", "middle", "late"]
    kept = np.asarray(row.maps[0].values)
    assert np.count_nonzero(kept) == 2  # of 25 voxels those above the 95th percentile
    assert set(kept[kept > 0]) == set(np.sort(ATTENTION.saliency[0].ravel())[-2:])
    for each, mask in zip(row.maps[1:], ATTENTION.masks[0], strict=True):
        np.testing.assert_array_equal(each.values, mask)
    assert row.mask is None and row.name == "scan 1, slice 3"


def test_figures_3_and_4_show_the_means_of_maps_over_slices(drawn):
    gallery, found = drawn
    gallery.maps()
    rows, columns = found["figure_3_maps_made up"]
    assert [each.method for each in columns] == list(DETECTORS) and len(rows) == 2
    np.testing.assert_array_equal([each.values for each in rows[1].maps], SHOWN.maps[1])
    np.testing.assert_array_equal(rows[0].mask, MASK[0])
    assert rows[1].mask is None


def test_figure_5_has_the_probability_by_the_factor_and_by_the_step(drawn):
    gallery, found = drawn
    gallery.searches()
    ((shift, search),) = found["figure_5_searches_made up"]
    median, first, second = shift.lines
    np.testing.assert_allclose(median.x, np.log10([1e-5, 2e-5]))
    np.testing.assert_allclose([median.y, first.y, second.y], [[0.6, 0.4], [0.8, 0.6], [0.4, 0.2]])
    np.testing.assert_allclose(search.lines[0].y, np.median(TRACE, axis=0))
    np.testing.assert_array_equal(search.lines[2].y, TRACE[1])


def test_figure_6_shows_each_size_of_steps_where_the_probability_is_lowest(drawn):
    gallery, found = drawn
    assert len(gallery.walks()) == 2
    ((panel,),) = found["figure_6_steps_made up"]
    assert [line.name for line in panel.lines] == ["h = -3", "h = -0.1"]
    np.testing.assert_array_equal(panel.lines[0].y, SHOWN.walk_traces[0, 0])
    ((row,),) = found["figure_6_images_made up"]
    assert [each.probability for each in row.counterfactuals] == pytest.approx([0.7, 0.3])
    np.testing.assert_allclose(row.counterfactuals[1].image[..., 0], SHOWN.walks[0, 1], rtol=1e-6)
    assert gallery._replace(steps=()).walks() == []


def test_figure_7_shows_counterfactuals_and_what_the_search_reached(drawn):
    gallery, found = drawn
    gallery.counterfactuals()
    (rows,) = found["figure_7_counterfactuals_made up"]
    assert [row.probability for row in rows] == [0.95, 0.85]
    assert [row.counterfactuals[0].probability for row in rows] == pytest.approx([0.9, 0.4])
    np.testing.assert_array_equal(
        rows[0].counterfactuals[0].image, np.ones((5, 5, 1))
    )  # cut to [0, 1]
    np.testing.assert_allclose(rows[1].original[..., 0], IMAGE[1], rtol=1e-6)
