"""How fast tests compute networks."""

from collections.abc import Generator

import pytest
from single_programs import networks_are_single_programs


@pytest.fixture(scope="module", autouse=True)
def networks_are_programs(request: pytest.FixtureRequest) -> Generator[None, None, None]:
    """A network that a fast test calls is one program, as in users' hands."""
    if "not slow" not in request.config.option.markexpr:
        yield
        return
    with networks_are_single_programs():
        yield
