"""How tests compile: with few optimisations unless they are slow ones, kept between runs, and let
go when there are many. And how rarely Python looks for garbage.
"""

import gc
import os
from collections.abc import Generator

import hypothesis
import jax
import pytest
from jax._src.interpreters import mlir, partial_eval  # have no public names

from cfx_jax.compilation import let_go_of_programs, use_compilation_cache

_MANY_MAPPINGS = 25_000
_RARELY = (20_000, 20, 20)
"""How many new objects, and rounds over the younger ones, make Python look for garbage: with the
usual (700, 10, 10) that takes a sixth of the time to collect the tests and a twelfth to run them.
"""
_QUICK_TO_COMPILE = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
"""Without them XLA makes a compiler of its own for each fused operation, and threads for each
program: a small program takes three times as long to compile.
"""
_LAST_TO_KNOW_THEM = (0, 10)
"""The version of JAX; XLA ends the process at a flag that it does not know, as 0.12 does."""


def pytest_configure(config: pytest.Config) -> None:
    """Fast tests run many small programs for a moment each: these compile with few optimisations.

    All are kept, also the smallest: to read one takes a tenth of the time to compile it, and the
    workers of ``pytest -n`` need the same ones. Slow tests compile as users do.
    """
    quick = "not slow" in config.option.markexpr
    flags = os.environ.get("XLA_FLAGS", "")
    knows_flags = jax.__version_info__[:2] <= _LAST_TO_KNOW_THEM
    if quick and knows_flags and _QUICK_TO_COMPILE not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_QUICK_TO_COMPILE}".strip()
    use_compilation_cache()
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    hypothesis.settings.register_profile(
        "unhurried", deadline=None
    )  # a busy machine is no fault of what is tested
    hypothesis.settings.load_profile("unhurried")
    jax.config.update("jax_disable_most_optimizations", quick)
    if quick:
        lower_in_one_context()
        leave_out_the_origin_of_tracers()
    os.environ |= {  # for processes that tests start
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": str(
            jax.config.jax_persistent_cache_min_compile_time_secs
        ),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": str(quick),
        "KERAS_BACKEND": "jax",  # Keras reads it when it is imported
    }


def lower_in_one_context() -> None:
    """Has JAX lower all programs in one context of MLIR instead of each in one of its own.

    To make one takes 5 ms, most of the time to lower a single operation, and JAX keeps it, 1.3 MB,
    as long as the program. Nothing else depends on it: a program is the same text in either.
    """
    context = mlir.make_ir_context()
    mlir.make_ir_context = lambda: context


def leave_out_the_origin_of_tracers() -> None:
    """Has JAX's messages about traced values say nothing of the operations that they come from.

    Flax asks each traced value for its ``sharding`` when it sets a variable. JAX answers by an
    error that nobody reads, but searches all operations so far for its message: of a network of
    121 layers that takes three quarters of the time to trace how it is made.
    """
    partial_eval.DynamicJaxprTracer._origin_msg = lambda tracer: ""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end: Python need not look for garbage in it."""
    gc.disable()
    result = yield
    gc.enable()
    gc.freeze()
    gc.set_threshold(*_RARELY)
    return result


@pytest.fixture(scope="module", autouse=True)
def few_programs():
    """Lets compiled programs go when there are many: each takes about 20 memory mappings, of which
    Linux allows a process 65,530; at the next one the process dies."""
    yield
    let_go_of_programs(above=_MANY_MAPPINGS)
