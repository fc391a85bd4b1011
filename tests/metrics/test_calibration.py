"""Calibration errors, curves and flips by hand and by loops; temperatures planted in logits."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from cfx_jax.errors import InputError
from cfx_jax.metrics import (
    compatibility_curve,
    decision_flips,
    expected_calibration_error,
    fit_temperature,
    reliability_curve,
    temperature_at_edge,
)


def error_by_loop(probabilities, labels, num_bins):
    """The definition, one bin (lo, hi] after the other."""
    confidences = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, num_bins + 1).astype(probabilities.dtype)
    total = 0.0
    for low, high in itertools.pairwise(edges):
        inside = (confidences > low) & (confidences <= high)
        if inside.any():
            total += abs(right[inside].mean() - confidences[inside].mean()) * inside.mean()
    return total


def planted(temperature, shares, count):
    """Two-class logits that are calibrated after division by ``temperature``: of ``count`` images
    with confidence s, s * count are right."""
    logits, labels = [], []
    for share in shares:
        difference = temperature * np.log(share / (1 - share))
        logits += [[0.0, difference]] * count
        labels += [1] * round(share * count) + [0] * (count - round(share * count))
    return np.asarray(logits, np.float32), np.asarray(labels)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**16), num_classes=st.integers(2, 5), num_bins=st.sampled_from([1, 5, 20])
)
def test_matches_the_definition(seed, num_classes, num_bins):
    rng = np.random.default_rng(seed)
    probabilities = softmax(rng.normal(size=(50, num_classes)) * 2, axis=1).astype(np.float32)
    labels = rng.integers(0, num_classes, 50)
    result = expected_calibration_error(probabilities, labels, num_bins=num_bins)
    np.testing.assert_allclose(result, error_by_loop(probabilities, labels, num_bins), atol=1e-5)


def test_a_calibration_error_by_hand():
    """Bins of width 0.5 hold {0.6 right, 0.8 wrong}: |0.5 - 0.7| = 0.2; a third image in the same
    bin would join them.
    """
    probabilities = np.asarray([[0.6, 0.4], [0.2, 0.8]])
    assert expected_calibration_error(
        probabilities, np.asarray([0, 0]), num_bins=2
    ) == pytest.approx(0.2, abs=1e-6)
    # In bins of width 0.1 each image is alone: (0.4 + 0.8) / 2.
    assert expected_calibration_error(
        probabilities, np.asarray([0, 0]), num_bins=10
    ) == pytest.approx(0.6, abs=1e-6)


@pytest.mark.parametrize("edge", [0.55, 0.6, 0.75, 0.85, 0.95])
def test_a_confidence_on_an_edge_falls_into_the_lower_bin(edge):
    """A right image just below the edge and a wrong one on it share a bin, so their errors partly
    cancel.
    """
    probabilities = np.asarray([[edge - 0.01, 1.01 - edge], [edge, 1 - edge]], np.float32)
    together = abs(0.5 - (edge - 0.005))
    error = expected_calibration_error(probabilities, np.asarray([0, 1]), num_bins=20)
    np.testing.assert_allclose(error, together, atol=1e-5)


def test_a_certain_and_right_classifier_has_no_error():
    assert expected_calibration_error(np.eye(3), np.arange(3)) == 0


def test_jit_gives_the_same():
    rng = np.random.default_rng(0)
    probabilities, labels = softmax(rng.normal(size=(40, 3)), axis=1), rng.integers(0, 3, 40)
    jitted = jax.jit(lambda p, y: expected_calibration_error(p, y))(probabilities, labels)
    np.testing.assert_allclose(jitted, expected_calibration_error(probabilities, labels), rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.4534, 1.0, 1.1124, 5.0])
def test_finds_the_planted_temperature(temperature):
    logits, labels = planted(temperature, [0.6, 0.7, 0.8, 0.9], 100)
    # The grid's step in log T is 6 / 1999; the targets of the likelihood leave room for one error
    # in 402.
    assert fit_temperature(logits, labels, method="ece") == pytest.approx(temperature, rel=0.0031)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.02)


def mean_cross_entropy(temperature, logits, labels):
    """With the targets of the likelihood, in float64."""
    (count, classes), logits = logits.shape, logits.astype(np.float64)
    targets = np.full(logits.shape, 1 / ((count + 2) * (classes - 1)))
    targets[np.arange(count), labels] = (count + 1) / (count + 2)
    return -(targets * log_softmax(logits / temperature, axis=1)).sum(axis=1).mean()


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
def test_no_other_temperature_is_more_likely(scale, num_classes):
    rng = np.random.default_rng(num_classes)
    logits = scale * rng.normal(size=(80, num_classes)).astype(np.float32)
    labels = np.where(
        rng.uniform(size=80) < 0.7, logits.argmax(axis=1), rng.integers(0, num_classes, 80)
    )
    found = fit_temperature(logits, labels)
    best = minimize_scalar(
        lambda t: mean_cross_entropy(np.exp(t), logits, labels), bounds=(-11, 11), method="bounded"
    )
    assert found == pytest.approx(np.exp(best.x), rel=1e-3)
    assert not temperature_at_edge(found)


@pytest.mark.parametrize("lead", [1e-3, 1.0, 146.0, 1e4])
def test_a_classifier_that_is_always_right_is_as_sure_as_its_images_are_many(lead):
    """Of n images, all right by the same lead, the probability of the label is (n + 1) / (n +
    2).
    """
    labels = np.arange(61) % 2
    logits = (lead * np.stack([1 - labels, labels], axis=1)).astype(np.float32)
    found = fit_temperature(logits, labels)
    assert softmax([0, lead / found])[1] == pytest.approx(62 / 63, rel=1e-4)
    assert not temperature_at_edge(found)


def test_an_edge_is_reported():
    labels = np.arange(61) % 2
    right = np.stack([-labels, labels], axis=1).astype(np.float32)
    with pytest.warns(
        UserWarning,
        match="the best temperature by 'ece' is 0.0498, at the edge of what is searched",
    ):
        assert temperature_at_edge(fit_temperature(60 * right, labels, method="ece"), method="ece")
    with pytest.warns(UserWarning, match="'likelihood' is 1.63e"):
        assert temperature_at_edge(fit_temperature(-right, labels))
    assert not temperature_at_edge(1.0) and not temperature_at_edge(1.0, method="ece")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_counted_in_single(dtype):
    """70,000 images are more than float16 can count and 256 more than bfloat16 can."""
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.normal(0, 3, (70_000, 2)), dtype)
    exact = np.asarray(logits, np.float32)
    labels = (rng.uniform(size=70_000) < 1 / (1 + np.exp((exact[:, 0] - exact[:, 1]) / 2))).astype(
        int
    )
    assert (
        fit_temperature(logits, labels)
        == fit_temperature(exact, labels)
        == pytest.approx(2, rel=0.03)
    )
    probabilities = jax.nn.softmax(logits)
    # Rounded as they came: rows of bfloat16 sum to 1 within its own precision.
    single = np.asarray(probabilities, np.float32)
    expected = error_by_loop(single / single.sum(axis=1, keepdims=True), labels, 20)
    assert float(expected_calibration_error(probabilities, labels)) == pytest.approx(
        expected, abs=2e-3
    )


def test_temperatures_are_those_of_the_published_grid():
    """The stored temperatures of the fundus paper, .4534 and 1.1124, are entries 736 and 1035 of
    the grid.
    """
    for index in (736, 1035):
        temperature = np.exp(np.linspace(-3, 3, 2000))[index]
        logits, labels = planted(temperature, [0.8], 10)
        assert fit_temperature(logits, labels, method="ece") == pytest.approx(temperature, rel=1e-6)


def test_no_calibration_is_among_the_candidates():
    logits, labels = planted(1.0, [0.8], 10)
    assert fit_temperature(logits, labels, method="ece") == 1.0


def test_the_first_of_equal_minimisers_is_taken():
    """Always right, and so far apart that every temperature of the grid leaves a confidence of
    1.
    """
    with pytest.warns(UserWarning, match="at the edge"):
        found = fit_temperature(np.asarray([[0.0, 1e4]]), np.asarray([1]), method="ece")
    assert found == pytest.approx(np.exp(-3))


def test_calibration_lowers_the_error_and_keeps_classes():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, 3)).astype(np.float32) * 2
    labels = np.asarray([rng.choice(3, p=p) for p in softmax(logits.astype(np.float64), axis=1)])
    overconfident = 3 * logits
    fitted = overconfident / fit_temperature(overconfident, labels)
    before, after = (
        expected_calibration_error(jax.nn.softmax(z), labels) for z in (overconfident, fitted)
    )
    assert after < before / 2
    np.testing.assert_array_equal(fitted.argmax(axis=1), logits.argmax(axis=1))


@pytest.mark.parametrize("function", [expected_calibration_error, fit_temperature])
def test_impossible_inputs_are_refused(function):
    scores, labels = np.full((4, 2), 0.5), np.zeros(4, int)
    with pytest.raises(
        InputError, match=r"expected \(n, k\) with labels \(n,\) .* got shapes \(4,\), \(4,\)"
    ):
        function(scores[:, 0], labels)
    with pytest.raises(InputError, match=r"for at least one image, got shapes \(0, 2\), \(0,\)"):
        function(scores[:0], labels[:0])
    with pytest.raises(InputError, match=r"got shapes \(4, 2\), \(3,\)"):
        function(scores, labels[:3])
    with pytest.raises(InputError, match=r"labels: expected a class in 0..1, got 2"):
        function(scores, labels + 2)
    with pytest.raises(
        InputError, match=r"labels: expected a class index \(integer\), got dtype float"
    ):
        function(scores, labels.astype(np.float32))
    with pytest.raises(InputError, match="num_bins: expected an integer of at least 1, got 0"):
        function(scores, labels, num_bins=0)


def test_logits_are_not_probabilities():
    with pytest.raises(
        InputError, match="rows that sum to 1, got a sum of 5: apply softmax to logits"
    ):
        expected_calibration_error(jnp.asarray([[0.5, 0.5], [2.0, 3.0]]), jnp.asarray([0, 1]))


def test_rows_that_sum_to_one_but_leave_the_range_are_no_probabilities():
    with pytest.raises(
        InputError, match=r"probabilities: expected probabilities in \[0, 1\], got \[-1, 2\]"
    ):
        expected_calibration_error(jnp.asarray([[0.5, 0.5], [2.0, -1.0]]), jnp.asarray([0, 1]))
    with pytest.raises(InputError, match="rows that sum to 1, got a sum of nan"):
        expected_calibration_error(jnp.asarray([[0.5, 0.5], [jnp.nan, 0.5]]), jnp.asarray([0, 1]))


def test_probabilities_may_pass_one_by_rounding():
    assert (
        float(expected_calibration_error(jnp.asarray([[1.0000001, 0.0]]), jnp.asarray([0]))) < 1e-6
    )


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="logits: expected finite values, got NaN or infinity"):
        fit_temperature(np.asarray([[0.0, np.nan]]), np.asarray([0]))


RNG = np.random.default_rng(0)


def test_a_reliability_curve_by_hand():
    curve = reliability_curve(
        np.asarray([0.1, 0.2, 0.7, 0.9]), np.asarray([0, 1, 1, 1]), num_bins=2
    )
    np.testing.assert_allclose(curve.stated, [0.15, 0.8])
    np.testing.assert_allclose(curve.observed, [0.5, 1])
    np.testing.assert_array_equal(curve.num_images, [2, 2])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40), st.integers(1, 12)
)
def test_curve_is_that_of_a_loop_over_bins(said, num_bins):
    values, true = (np.asarray(each) for each in zip(*said, strict=True))
    curve = reliability_curve(values, true, num_bins=num_bins)
    edges = np.linspace(0, 1, num_bins + 1)
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        own = ((values > low) | ((number == 0) & (values == 0))) & (values <= high)
        assert curve.num_images[number] == own.sum()
        if own.any():
            np.testing.assert_allclose(
                [curve.stated[number], curve.observed[number]],
                [values[own].mean(), true[own].mean()],
            )
        else:
            assert np.isnan([curve.stated[number], curve.observed[number]]).all()


@pytest.mark.parametrize("num_classes", [2, 5])
def test_distances_from_the_diagonal_add_up_to_the_calibration_error(num_classes):
    probabilities = softmax(2 * RNG.normal(size=(200, num_classes)), axis=1).astype(np.float32)
    labels = RNG.integers(num_classes, size=200)
    curve = reliability_curve(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)
    total = np.nansum(np.abs(curve.observed - curve.stated) * curve.num_images) / 200
    assert total == pytest.approx(
        float(expected_calibration_error(probabilities, labels)), abs=1e-6
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_probability_on_an_edge_falls_into_the_lower_bin_in_its_own_precision(dtype):
    edges = np.linspace(0, 1, 11).astype(dtype)
    np.testing.assert_array_equal(
        reliability_curve(edges, np.ones(11), num_bins=10).num_images,
        [2, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    )


def test_certain_statements_may_be_integers_and_rounding_is_cut_off():
    np.testing.assert_array_equal(
        reliability_curve(np.asarray([0, 1, 1]), np.asarray([0, 1, 0])).num_images[[0, -1]], [1, 2]
    )
    rounded = reliability_curve(np.asarray([1.0000001], np.float32), np.ones(1))
    assert (rounded.stated[-1], rounded.observed[-1]) == (1, 1)


@pytest.mark.parametrize(
    ("probabilities", "occurred", "options", "message"),
    [
        (
            np.zeros(0),
            np.zeros(0),
            {},
            r"probabilities: expected one value for each .* got shape \(0,\)",
        ),
        (
            np.full(2, 1.5),
            np.ones(2),
            {},
            r"probabilities: expected probabilities in \[0, 1\], got \[1.5, 1.5\]: apply",
        ),
        (
            np.asarray([0.5, np.nan]),
            np.ones(2),
            {},
            "probabilities: expected finite numbers, got 1 of 2",
        ),
        (
            np.full(2, 0.5),
            np.asarray([0, 2]),
            {},
            r"occurred: expected 0 and 1 \(or booleans\), got 2",
        ),
        (
            np.full(2, 0.5),
            np.ones(3),
            {},
            r"occurred: expected the shape of probabilities \(2,\), got \(3,\)",
        ),
        (
            np.full(2, 0.5),
            np.ones(2),
            {"num_bins": 0},
            "num_bins: expected an integer of at least 1, got 0",
        ),
    ],
)
def test_what_has_no_curve_is_refused(probabilities, occurred, options, message):
    with pytest.raises(InputError, match=message):
        reliability_curve(probabilities, occurred, **options)


def test_curve_is_mean_and_spread_of_each_bin():
    expected = RNG.integers(10, size=400) / 10 + 0.05
    achieved = np.clip(expected + 0.1 * RNG.normal(size=400), 0, 1)
    curve = compatibility_curve(expected, achieved)
    for k, centre in enumerate(curve.centre):
        own = achieved[np.isclose(expected, centre)]
        assert curve.num_images[k] == len(own)
        np.testing.assert_allclose(
            [curve.mean[k], curve.deviation[k]], [own.mean(), own.std()], rtol=1e-10
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bins_are_closed_below_and_the_last_one_above(dtype):
    expected = np.asarray([0, 0.0999, 0.1, 0.3, 0.6, 0.7, 0.9, 1], dtype)
    np.testing.assert_array_equal(
        compatibility_curve(expected, expected).num_images, [2, 1, 0, 1, 0, 0, 1, 1, 0, 2]
    )


def test_empty_bins_are_undefined():
    curve = compatibility_curve(np.asarray([0.1, 0.2]), np.asarray([0.3, 0.5]), num_bins=2)
    np.testing.assert_allclose(curve.mean, [0.4, np.nan])
    np.testing.assert_allclose(curve.deviation, [0.1, np.nan])
    np.testing.assert_allclose(curve.centre, [0.25, 0.75])


def test_flips_by_hand():
    before, after = np.asarray([0.2, 0.4, 0.5, 0.9]), np.asarray([0.5, 0.3, 0.49, 0.8])
    np.testing.assert_array_equal(decision_flips(before, after), [True, False, True, False])
    np.testing.assert_array_equal(
        decision_flips(before, after, threshold=0.85), [False, False, False, True]
    )


def test_what_is_no_probability_is_refused():
    half = np.full(2, 0.5)
    with pytest.raises(
        InputError, match=r"after: expected probabilities in \[0, 1\], got \[0.5, 3\]"
    ):
        decision_flips(half, np.asarray([0.5, 3]))
    with pytest.raises(InputError, match="achieved: expected finite numbers, got 1 of 2"):
        compatibility_curve(half, np.asarray([0.5, np.nan]))
    with pytest.raises(
        InputError, match=r"expected: expected probabilities in \[0, 1\], got \[-1, 0\]"
    ):
        compatibility_curve(np.asarray([-1, 0]), half)
    with pytest.raises(
        InputError, match="threshold: expected a number strictly between 0 and 1, got 1"
    ):
        decision_flips(half, half, threshold=1)
    with pytest.raises(InputError, match="num_bins: expected an integer of at least 1, got 0"):
        compatibility_curve(half, half, num_bins=0)
    with pytest.raises(
        InputError, match=r"achieved: expected the shape of expected \(2,\), got \(3,\)"
    ):
        compatibility_curve(half, np.zeros(3))
    with pytest.raises(InputError, match=r"after: expected the shape of before \(2,\), got \(3,\)"):
        decision_flips(half, np.zeros(3))
