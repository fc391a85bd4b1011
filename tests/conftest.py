"""Fixtures that every test file can ask for."""

import jax
import pytest


@pytest.fixture(scope="module")
def quick_compilation():
    """Compiles with few optimisations, in half of the time: for files of many small programs that each run a moment.

    A file asks for it by ``pytestmark = pytest.mark.usefixtures("quick_compilation")``.
    """
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
