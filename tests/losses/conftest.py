"""How the tests of losses compute them."""

import inspect
from collections.abc import Generator
from functools import partial

import pytest

from cfx_jax.compilation import compiled


@pytest.fixture(scope="module", autouse=True)
def losses_are_compiled(request: pytest.FixtureRequest) -> Generator[None, None, None]:
    """Each loss is one program, as in a training, and not one for each of its operations."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in list(vars(request.module).items()):
            if inspect.isfunction(value) and value.__module__.startswith("cfx_jax.losses"):
                patch.setattr(request.module, name, partial(compiled, value))
        yield
