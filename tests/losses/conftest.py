"""How the tests of losses compute them."""

from collections.abc import Generator

import pytest
from single_programs import losses_as_single_programs


@pytest.fixture(scope="module", autouse=True)
def losses_are_programs(request: pytest.FixtureRequest) -> Generator[None, None, None]:
    """Each loss is one program, as in a training, and not one for each of its operations."""
    with pytest.MonkeyPatch.context() as patch:
        for name, loss in losses_as_single_programs(vars(request.module)).items():
            patch.setattr(request.module, name, loss)
        yield
