"""The published programs are compiled for chips that this machine has not."""

import importlib.util

import jax
import jax.numpy as jnp
import pytest

from benchmarks import compile_for_tpu
from benchmarks.tpu_programs import PROGRAMS, Program, shape_of
from cfx_jax.errors import InputError

needs_libtpu = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="needs libtpu, of the extra tpu"
)


def test_collectives_are_counted_by_kind():
    text = """
    %all-reduce.1 = f32[8]{0} all-reduce(%x), channel_id=1
    %all-reduce-start.2 = f32[] all-reduce-start(%y), channel_id=2
    %all-reduce-done.2 = f32[] all-reduce-done(%all-reduce-start.2)
    %all-reduce.4 = (f32[8]{0:T(256)}, f32[2,3]{1,0:T(2,128)S(1)}) all-reduce(%u, %v), channel_id=4
    %all-gather.3 = f32[32]{0} all-gather(%z), channel_id=3
    """
    assert compile_for_tpu._count_collectives(text) == "1 all-gather, 3 all-reduce"
    assert compile_for_tpu._count_collectives("%add = f32[] add(%x, %y)") == "none"


def test_chips_that_do_not_exist_are_one_line():
    with pytest.raises(InputError, match=r"topology: expected libtpu and chips .* got v0:1x1"):
        compile_for_tpu._mesh("v0:1x1")


def test_a_programs_examples_are_divided_and_the_rest_is_not():
    program = PROGRAMS["integrated gradients"]()
    images, targets = program.examples
    assert images.shape == (32, 224, 224, 3) and targets.shape == (32,)
    sizes = [leaf.size for leaf in jax.tree.leaves(program.shared)]
    assert sum(sizes) == pytest.approx(23.5e6, rel=0.02)  # the weights of a ResNet-50, two classes


@needs_libtpu
def test_a_sum_over_examples_is_reduced_over_the_chips():
    program = Program(
        lambda weights, images: (images @ weights).sum(), shape_of(64, 8), shape_of(16, 64), 16
    )
    batch, total, temporary, fits, flops, collectives, _ = compile_for_tpu._compile(
        program, compile_for_tpu._mesh("v5e:2x2"), 16.0
    )
    assert (batch, fits) == (16, "yes") and "all-reduce" in collectives
    assert 0 <= temporary <= total < 0.01 and jnp.isfinite(flops)
