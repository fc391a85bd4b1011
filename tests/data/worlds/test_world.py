import numpy as np
import pytest

from cfx_jax.data.worlds.world import (
    DrawnSource,
    check_options,
    check_share,
    is_tagged,
    label_of,
    stream,
)
from cfx_jax.errors import InputError

OPTIONS = {
    "seed": 0,
    "index": 0,
    "size": 64,
    "prevalence": 0.4,
    "severity": 1.0,
    "confounder": None,
}


def test_a_stream_depends_on_all_three_numbers_and_repeats():
    drawn = {key: stream(*key).random() for key in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))}
    assert len(set(drawn.values())) == 4
    assert stream(1, 0, 0).random() == drawn[1, 0, 0]


@pytest.mark.parametrize("prevalence", [0.0, 0.25, 1.0])
def test_prevalence_is_the_share_of_ones(prevalence):
    labels = np.array([label_of(3, index, prevalence=prevalence) for index in range(2000)])
    assert abs(labels.mean() - prevalence) <= 4 * np.sqrt(prevalence * (1 - prevalence) / 2000)


@pytest.mark.parametrize(
    ("strength", "healthy", "diseased"), [(0.0, 0.5, 0.5), (0.6, 0.2, 0.8), (1.0, 0.0, 1.0)]
)
def test_strength_of_the_bond_sets_the_shares_of_tagged_pictures(strength, healthy, diseased):
    for label, share in enumerate((healthy, diseased)):
        tagged = np.mean([is_tagged(stream(0, index, 9), label, strength) for index in range(2000)])
        assert abs(tagged - share) <= 4 * np.sqrt(share * (1 - share) / 2000)


def test_no_picture_is_tagged_unless_asked_for():
    assert not any(is_tagged(stream(0, index, 9), index % 2, None) for index in range(100))


def test_source_draws_when_asked_and_knows_the_labels():
    def draw(seed, index, *, prevalence, size):
        return {"image": (seed, index, prevalence, size)}

    source = DrawnSource(3, draw, 7, 0.5, size=32)
    assert len(source) == 3 and source[1] == {"image": (7, 1, 0.5, 32)}
    assert source[-1] == {"image": (7, 2, 0.5, 32)}
    labels = [label_of(7, index, prevalence=0.5) for index in range(3)]
    np.testing.assert_array_equal(source.labels, labels)
    with pytest.raises(IndexError):
        source[3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed and index: expected 0 or more, got -1 and 0: count from 0"),
        ({"index": -2}, "seed and index: expected 0 or more, got 0 and -2: count from 0"),
        ({"size": 31}, "size: expected at least 32 pixels, got 31: ask for a larger picture"),
        ({"prevalence": 1.2}, r"prevalence: expected a share in \[0, 1\], got 1.2: give e.g. 0.5"),
        (
            {"severity": 0.0},
            "severity: expected above 0, got 0.0: give e.g. 1.0, the standard world",
        ),
        ({"severity": float("nan")}, "severity: expected above 0, got nan"),
        ({"severity": float("inf")}, "severity: expected above 0, got inf"),
        ({"severity": None}, "severity: expected a real number, got None"),
        ({"seed": "a"}, "seed and index: expected 0 or more, got 'a' and 0"),
        ({"size": 64.5}, "size: expected at least 32 pixels, got 64.5"),
        ({"prevalence": (0.5, 0.5)}, r"prevalence: expected one number, got shape \(2,\)"),
        ({"confounder": "x"}, "confounder: expected a real number, got 'x'"),
        (
            {"confounder": 1.5},
            r"confounder: expected None or a strength in \[0, 1\], got 1.5: give e.g. 0.9, or None"
            r" for no tag",
        ),
    ],
)
def test_wrong_options_are_explained(options, message):
    check_options(**OPTIONS)
    with pytest.raises(InputError, match=message):
        check_options(**(OPTIONS | options))


def test_wrong_share_is_explained_by_its_name_and_an_example():
    check_share("ungradable", 1.0, 0.2)
    with pytest.raises(
        InputError, match=r"ungradable: expected a share in \[0, 1\], got -0.1: give e.g. 0.2"
    ):
        check_share("ungradable", -0.1, 0.2)


def test_no_pictures_are_refused():
    with pytest.raises(
        InputError, match="num_images: expected at least 1, got 0: ask for some pictures"
    ):
        DrawnSource(0, lambda seed, index: {}, 0, 0.5)
