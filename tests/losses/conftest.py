"""How the tests of losses compute them."""

import inspect
from collections.abc import Generator

import pytest
from single_programs import as_one_program

ON_THE_HOST = ("inverse_frequency",)
"""Functions of NumPy, which count labels."""


@pytest.fixture(scope="module", autouse=True)
def losses_are_single_programs(request: pytest.FixtureRequest) -> Generator[None, None, None]:
    """Each loss is one program, as in a training, and not one for each of its operations."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in list(vars(request.module).items()):
            is_loss = inspect.isfunction(value) and value.__module__.startswith("cfx_jax.losses")
            if is_loss and name not in ON_THE_HOST:
                patch.setattr(request.module, name, as_one_program(value))
        yield
