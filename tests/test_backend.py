"""Bodies of loops compute what the plain functions do, and all their convolutions are in one order
of axes.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from cfx_jax import backend
from cfx_jax.backend import loop_body
from cfx_jax.models import guided_relu

RNG = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def convolution(kernel, order, **options):
    """One image -> maps, by a strided convolution."""
    strides = (2,) * (kernel.ndim - 2)
    return lambda image: lax.conv_general_dilated(
        image[None], kernel, strides, "SAME", dimension_numbers=order, **options
    )[0]


PLANE = ("NHWC", "HWIO", "NHWC")
CASES = {
    "plane": (convolution(normal(3, 3, 4, 6), PLANE), normal(9, 8, 4)),
    "groups": (convolution(normal(3, 3, 2, 6), PLANE, feature_group_count=2), normal(9, 8, 4)),
    "channels first": (convolution(normal(6, 4, 3, 3), ("NCHW", "OIHW", "NCHW")), normal(4, 9, 8)),
    "line": (convolution(normal(3, 4, 6), ("NHC", "HIO", "NHC")), normal(9, 4)),
    "volume": (convolution(normal(3, 3, 3, 2, 3), ("NDHWC", "DHWIO", "NDHWC")), normal(5, 4, 6, 2)),
}


def squares(function):
    return lambda image: jnp.square(function(image)).sum()


def convolutions(function, *args):
    """The orders of axes of all convolutions, those in jitted functions too."""

    def of(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive is lax.conv_general_dilated_p:
                yield equation.params["dimension_numbers"]
            if "jaxpr" in equation.params:
                yield from of(equation.params["jaxpr"].jaxpr)

    return list(of(jax.make_jaxpr(function)(*args).jaxpr))


@pytest.mark.parametrize("case", CASES)
def test_values_and_derivatives_are_those_of_the_function(case):
    function, image = CASES[case]
    slope = jax.grad(squares(function))
    for plain in (function, slope, lambda x: jax.jvp(slope, (x,), (x,))):
        found, expected = loop_body(plain)(image), plain(image)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), found, expected
        )


@pytest.mark.parametrize("case", CASES)
def test_the_function_may_be_differentiated_and_mapped_afterwards(case):
    function, image = CASES[case]
    body, images = squares(loop_body(function)), jnp.stack([image, 2 * image])
    expected = jax.vmap(jax.grad(squares(function)))(images)
    np.testing.assert_allclose(jax.vmap(jax.grad(body))(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_all_convolutions_have_one_order_of_axes(case):
    function, image = CASES[case]
    slope = jax.jit(jax.grad(squares(function)))
    axes = image.ndim + 1
    last = (0, axes - 1, *range(1, axes - 1))
    expected = lax.ConvDimensionNumbers(last, (axes - 1, axes - 2, *range(axes - 2)), last)
    assert len(convolutions(slope, image)) == 2
    assert convolutions(loop_body(slope), image) == [expected] * 2
    assert any(each != expected for each in convolutions(slope, image))


def test_rules_of_derivation_stay_those_of_the_function():
    function, image = CASES["plane"]
    signal = lambda x: guided_relu(function(guided_relu(x)) - 0.2).sum()  # noqa: E731
    np.testing.assert_allclose(
        jax.grad(loop_body(signal))(image), jax.grad(signal)(image), atol=1e-5
    )
    np.testing.assert_allclose(
        loop_body(jax.grad(signal))(image), jax.grad(signal)(image), atol=1e-5
    )


def test_loops_branches_and_checkpoints_inside_are_left_as_they_are():
    function, image = CASES["plane"]
    slope = jax.grad(squares(jax.checkpoint(function)))

    def nested(image):
        turned = lax.cond(image[0, 0, 0] > 0, slope, lambda x: -slope(x), image)
        return lax.scan(lambda x, _: (x - 0.01 * jnp.tanh(slope(x)), None), turned, None, length=2)[
            0
        ]

    np.testing.assert_allclose(loop_body(nested)(image), nested(image), rtol=1e-4, atol=1e-4)
    assert "prevent_cse" in str(jax.make_jaxpr(loop_body(slope))(image))


def test_pytrees_and_what_is_closed_over_may_be_traced():
    @jax.jit
    def run(weight, pair):
        body = loop_body(lambda pair: {"sum": weight * pair[0] + pair[1]["b"], "one": jnp.ones(())})
        return body(pair)

    found = run(2.0, (3.0, {"b": 4.0}))
    assert {name: float(value) for name, value in found.items()} == {"sum": 10.0, "one": 1.0}


def test_only_a_cpu_needs_it(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert loop_body(squares) is squares
    assert not backend.depthwise_as_products()


@pytest.mark.slow
def test_a_gradient_in_a_loop_takes_as_long_as_outside():
    kernel, image, num = normal(3, 3, 64, 64), normal(56, 56, 64), 10
    slope = jax.grad(squares(convolution(kernel, PLANE)))

    def loop(image):
        body = loop_body(lambda index: slope((1 + index) * image))
        return lax.scan(
            lambda total, index: (total + body(index), None), 0 * image, jnp.arange(num) / num
        )[0]

    assert cpu_seconds(jax.jit(loop), image) < 2 * num * cpu_seconds(jax.jit(slope), image)


def cpu_seconds(function, *args):
    """The least of several calls; of the processor, which other programs on the machine do not
    change much.
    """
    jax.block_until_ready(function(*args))
    found = []
    for _ in range(5):
        start = time.process_time()
        jax.block_until_ready(function(*args))
        found.append(time.process_time() - start)
    return min(found)


def test_programs_can_be_made_for_another_kind_of_device():
    here = backend.platform()
    with backend.compiling_for("tpu"):
        assert backend.platform() == "tpu"
        assert not backend.depthwise_as_products()
    with pytest.raises(ZeroDivisionError), backend.compiling_for("tpu"):
        raise ZeroDivisionError
    assert backend.platform() == here
