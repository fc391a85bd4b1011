"""The content of ACAT's figures, on made-up numbers."""

from pathlib import Path

import numpy as np
import pytest

from experiments.acat import figures
from experiments.acat.data import Scans
from experiments.acat.facts import StoredFacts
from experiments.acat.maps import METHODS, Detection, Shown
from experiments.acat.maps.latent_searches import Traces
from experiments.acat.networks import choose_networks
from experiments.acat.study import Attention, KindStudy, Run
from experiments.shared import PaperReport

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
    maps=RNG.random((2, len(METHODS), 5, 5)),
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
    """A report, a study of one run, and what its figures hand over to be drawn, by file name."""
    content = {}

    def keep(name, function, *parts, **options):
        content[Path(name).stem] = parts

    report = PaperReport(tmp_path, "title", introduction="", note="")
    monkeypatch.setattr(report, "draw", keep)
    traces = Traces(TRACE, TRACE[:, 0], FACTORS, SWEEP)
    detection = Detection(np.arange(2), {}, {}, np.arange(2), traces, SHOWN)
    images = np.zeros((2, 3, 5, 5, 1), np.float32)
    labels, facts = np.ones(2, int), StoredFacts({"image": images})
    scans = Scans(
        "made up", images, labels, labels, ("no", "yes"), False, facts, note="a note", identity=None
    )
    networks, runs = choose_networks(()), (Run(None, {}, detection, ATTENTION),)
    return report, KindStudy(scans, networks, {}, runs, {}, 30.0, 0, None), content


def test_figure_2_shows_the_map_and_the_three_masks(drawn):
    report, study, content = drawn
    figures.draw_attention(report, study)
    (row,), columns = content["figure_2_attention_made up"]
    assert [column.method for column in columns[1:]] == ["early", "middle", "late"]
    kept = np.asarray(row.maps[0].values)
    assert np.count_nonzero(kept) == 2  # of 25 voxels those above the 95th percentile
    assert set(kept[kept > 0]) == set(np.sort(ATTENTION.saliency[0].ravel())[-2:])
    for saliency, mask in zip(row.maps[1:], ATTENTION.masks[0], strict=True):
        np.testing.assert_array_equal(saliency.values, mask)
    assert row.mask is None and row.name == "scan 1, slice 3"


def test_figures_3_and_4_show_the_means_of_maps_over_slices(drawn):
    report, study, content = drawn
    figures.draw_maps(report, study)
    rows, columns = content["figure_3_maps_made up"]
    assert [column.method for column in columns] == list(METHODS) and len(rows) == 2
    np.testing.assert_array_equal([saliency.values for saliency in rows[1].maps], SHOWN.maps[1])
    np.testing.assert_array_equal(rows[0].mask, MASK[0])
    assert rows[1].mask is None


def test_figure_5_has_the_probability_by_the_factor_and_by_the_step(drawn):
    report, study, content = drawn
    figures.draw_searches(report, study)
    ((shift, search),) = content["figure_5_searches_made up"]
    median, first, second = shift.lines
    np.testing.assert_allclose(median.x, np.log10([1e-5, 2e-5]))
    np.testing.assert_allclose([median.y, first.y, second.y], [[0.6, 0.4], [0.8, 0.6], [0.4, 0.2]])
    np.testing.assert_allclose(search.lines[0].y, np.median(TRACE, axis=0))
    np.testing.assert_array_equal(search.lines[2].y, TRACE[1])


def test_figure_6_shows_each_size_of_steps_where_the_probability_is_lowest(drawn):
    report, study, content = drawn
    figures.draw_walks(report, study, STEPS)
    ((panel,),) = content["figure_6_steps_made up"]
    assert [line.name for line in panel.lines] == ["h = -3", "h = -0.1"]
    np.testing.assert_array_equal(panel.lines[0].y, SHOWN.walk_traces[0, 0])
    ((row,),) = content["figure_6_images_made up"]
    assert [panel.probability for panel in row.counterfactuals] == pytest.approx([0.7, 0.3])
    np.testing.assert_allclose(row.counterfactuals[1].image[..., 0], SHOWN.walks[0, 1], rtol=1e-6)
    content.clear()
    figures.draw_walks(report, study, ())
    assert not content


def test_figure_7_shows_counterfactuals_and_what_the_search_reached(drawn):
    report, study, content = drawn
    figures.draw_counterfactuals(report, study)
    (rows,) = content["figure_7_counterfactuals_made up"]
    assert [row.probability for row in rows] == [0.95, 0.85]
    assert [row.counterfactuals[0].probability for row in rows] == pytest.approx([0.9, 0.4])
    np.testing.assert_array_equal(
        rows[0].counterfactuals[0].image, np.ones((5, 5, 1))
    )  # cut to [0, 1]
    np.testing.assert_allclose(rows[1].original[..., 0], IMAGE[1], rtol=1e-6)
