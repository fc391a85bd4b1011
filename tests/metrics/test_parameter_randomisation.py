"""The parameter randomisation test on models whose maps are known functions of their parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.stats import spearmanr
from small_classifiers import images

from cfx_jax.attributions import gradient
from cfx_jax.errors import InputError
from cfx_jax.metrics import parameter_randomisation
from cfx_jax.metrics.parameter_randomisation import redraw

KEY = jax.random.key(0)
IMAGES = images(3, size=16)
RNG = np.random.default_rng(5)


def weights(*shape, decimals=6):
    return jnp.asarray(np.round(RNG.normal(size=shape), decimals), jnp.float32)


LINEAR = {"bias": jnp.asarray([0.5, 1.0]), "weights": weights(16, 16, 1), "steps": jnp.arange(3)}
LAYERS = {
    "stem": {"bias": weights(16, 16, 1), "scale": weights(16, 16, 1)},
    "head": {"scale": weights(16, 16, 1)},
}
ORDER = ("stem", "head")


def linear_map(parameters, image):
    return gradient(lambda x: (parameters["weights"] * x).sum() + parameters["bias"].sum(), image)


def layered_map(parameters, image):
    """By hand: head * 2 (stem.scale * x + stem.bias) * stem.scale."""

    def score(x):
        hidden = parameters["stem"]["scale"] * x + parameters["stem"]["bias"]
        return (parameters["head"]["scale"] * hidden**2).sum()

    return gradient(score, image)


def by_hand(stem_scale, stem_bias, head_scale, image):
    return np.asarray(head_scale * 2 * (stem_scale * image + stem_bias) * stem_scale)


@pytest.mark.parametrize("draw", ["normal", "permutation"])
def test_a_map_that_ignores_the_parameters_keeps_all_of_it(draw):
    result = parameter_randomisation(KEY, lambda parameters, x: x - 0.5, LAYERS, IMAGES, draw=draw)
    assert result.stages == ("stem/scale", "stem/bias", "head/scale")
    np.testing.assert_allclose(result.correlation, np.ones((3, 3)))
    np.testing.assert_allclose(result.absolute, np.ones((3, 3)))


@pytest.mark.parametrize("draw", ["normal", "permutation"])
def test_the_gradient_of_a_linear_model_is_lost_exactly_when_its_weights_are_replaced(draw):
    result = parameter_randomisation(
        KEY, linear_map, LINEAR, IMAGES, groups=("weights", "bias"), draw=draw
    )
    assert result.stages == ("bias", "weights")
    np.testing.assert_allclose(result.correlation[0], 1)
    assert np.abs(result.correlation[1]).max() < 0.2
    assert np.abs(result.absolute[1]).max() < 0.2


@pytest.mark.parametrize("draw", ["normal", "permutation"])
@pytest.mark.parametrize("levels", [2, 2**20])
def test_correlations_match_scipy_also_with_ties(draw, levels):
    """Of few levels most values are tied, of many none."""
    old = weights(16, 16, 1, decimals=12)
    found = parameter_randomisation(
        KEY,
        lambda parameters, x: jnp.round(levels * parameters["weights"] + 0 * x),
        {"weights": old},
        IMAGES,
        draw=draw,
    )
    new = redraw(jax.random.fold_in(KEY, 0), old, draw=draw)
    first, second = (np.round(levels * np.asarray(values)).ravel() for values in (old, new))
    assert (len(set(first)) < len(first)) == (levels == 2)
    np.testing.assert_allclose(
        found.correlation, np.full((1, 3), spearmanr(first, second).statistic), atol=1e-12
    )
    expected = spearmanr(np.abs(first), np.abs(second)).statistic
    np.testing.assert_allclose(found.absolute, np.full((1, 3), expected), atol=1e-12)


@pytest.mark.parametrize("cascade", [True, False])
def test_stages_match_the_map_computed_by_hand(cascade):
    """The leaves of a pytree are in the alphabet's order: head/scale 0, stem/bias 1, stem/scale
    2.
    """
    result = parameter_randomisation(
        KEY, layered_map, LAYERS, IMAGES, groups=ORDER, cascade=cascade
    )
    assert result.stages == ("head", "stem")
    old = LAYERS["stem"]["scale"], LAYERS["stem"]["bias"], LAYERS["head"]["scale"]
    new = [
        redraw(jax.random.fold_in(KEY, i), leaf, draw="normal")
        for i, leaf in zip((2, 1, 0), old, strict=True)
    ]
    second = (new[0], new[1], new[2] if cascade else old[2])
    for row, parameters in enumerate(((old[0], old[1], new[2]), second)):
        for column, image in enumerate(IMAGES):
            maps = by_hand(*old, image).ravel(), by_hand(*parameters, image).ravel()
            assert result.correlation[row, column] == pytest.approx(
                spearmanr(*maps).statistic, abs=1e-3
            )
            expected = spearmanr(*map(np.abs, maps)).statistic
            assert result.absolute[row, column] == pytest.approx(expected, abs=1e-3)


def test_an_inverted_map_counts_in_absolute_values_only():
    """Permuting two signs swaps them, or does nothing."""
    signs = {"sign": jnp.asarray([1.0, -1.0])}
    swapping = next(
        key
        for key in map(jax.random.key, range(20))
        if redraw(jax.random.fold_in(key, 0), signs["sign"], draw="permutation")[0] < 0
    )
    result = parameter_randomisation(
        swapping, lambda parameters, x: parameters["sign"][0] * x, signs, IMAGES, draw="permutation"
    )
    np.testing.assert_allclose(result.correlation, -1)
    np.testing.assert_allclose(result.absolute, 1)


def test_targets_reach_the_attribution_and_batches_change_nothing():
    def of_class(parameters, image, target):
        return image * parameters["weights"][..., target]

    parameters = {"weights": weights(16, 16, 1, 2)}
    whole = parameter_randomisation(
        KEY, of_class, parameters, IMAGES, targets=np.asarray([0, 1, 0])
    )
    cut = parameter_randomisation(
        KEY, of_class, parameters, IMAGES, targets=np.asarray([0, 1, 0]), batch_size=2
    )
    other = parameter_randomisation(
        KEY, of_class, parameters, IMAGES, targets=np.asarray([0, 1, 1])
    )
    np.testing.assert_array_equal(whole.correlation, cut.correlation)
    np.testing.assert_array_equal(whole.correlation == other.correlation, [[True, True, False]])


def test_the_parameters_of_a_network_are_grouped_by_its_attributes():
    class Net(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.conv = nnx.Conv(1, 4, (3, 3), rngs=rngs)
            self.norm = nnx.BatchNorm(4, use_running_average=True, rngs=rngs)
            self.head = nnx.Linear(4, 2, rngs=rngs)

        def __call__(self, batch):
            return self.head(nnx.gelu(self.norm(self.conv(batch))).mean(axis=(1, 2)))

    definition, parameters, others = nnx.split(Net(), nnx.Param, ...)

    def by_gradient(parameters, image):
        model = nnx.merge(definition, parameters, others)
        return gradient(lambda x: model(x[None])[0, 1], image)

    result = parameter_randomisation(
        KEY, by_gradient, parameters, IMAGES, groups=("conv", "norm", "head")
    )
    assert result.stages == ("head", "norm", "conv")
    assert (np.abs(result.correlation) < 0.99).all()
    np.testing.assert_array_equal(result.correlation[0], result.correlation[1])


def test_constant_maps_have_no_correlation():
    result = parameter_randomisation(
        KEY, lambda parameters, x: 0 * x, LAYERS, IMAGES, groups=["head"]
    )
    assert result.stages == ("head",)
    assert np.isnan(result.correlation).all()
    assert np.isnan(result.absolute).all()


def test_new_parameters_keep_mean_deviation_or_values():
    old = 3 + 2 * weights(100, 100)
    normal, permuted = (redraw(KEY, old, draw=draw) for draw in ("normal", "permutation"))
    assert float(normal.mean()) == pytest.approx(float(old.mean()), abs=0.1)
    assert float(normal.std()) == pytest.approx(float(old.std()), rel=0.05)
    np.testing.assert_array_equal(np.sort(permuted.ravel()), np.sort(old.ravel()))
    assert abs(np.corrcoef(permuted.ravel(), old.ravel())[0, 1]) < 0.05
    np.testing.assert_array_equal(redraw(KEY, jnp.ones(5), draw="normal"), jnp.ones(5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": 2 * IMAGES}, r"images: expected values in \[0, 1\]"),
        ({"draw": "uniform"}, "draw: expected one of 'normal', 'permutation', got 'uniform'"),
        (
            {"targets": np.zeros(2, int)},
            r"targets: expected one for each of 3 images, got shape \(2,\)",
        ),
        (
            {"parameters": {"steps": np.arange(3)}},
            "parameters: expected a pytree with arrays of floats, got none",
        ),
        ({"groups": ["weights", "top"]}, r"beginnings of the paths bias, weights, got \['top'\]"),
        ({"groups": ["weight"]}, r"got \['weight'\]"),
        ({"groups": []}, r"got \[\]"),
        (
            {"groups": ["weights", "weights"]},
            "expected groups without a common leaf, got weights, weights",
        ),
        (
            {"attribution": lambda parameters, x: x.sum()},
            r"expected a map \(h, w\) or \(h, w, c\) of each image, got",
        ),
        (
            {
                "attribution": lambda parameters, x: x + jnp.log(parameters["bias"] > 0.4).sum(),
                "key": jax.random.key(3),
            },
            "finite maps, got NaN or infinity once bias is replaced: leave out of the parameters"
            " what must stay positive",
        ),
        ({"attribution": lambda parameters, x: x / 0}, "NaN or infinity of the given parameters"),
    ],
)
def test_mistakes_are_named(change, message):
    given = {
        "key": KEY,
        "attribution": linear_map,
        "parameters": LINEAR,
        "images": IMAGES,
        "groups": None,
        **change,
    }
    if "parameters" not in change and given["groups"] is None:
        given["groups"] = ("bias", "weights")
    with pytest.raises(InputError, match=message):
        parameter_randomisation(**given)


def test_groups_may_not_overlap():
    with pytest.raises(
        InputError, match="groups: expected groups without a common leaf, got stem, stem/scale"
    ):
        parameter_randomisation(KEY, layered_map, LAYERS, IMAGES, groups=["stem", "stem/scale"])
