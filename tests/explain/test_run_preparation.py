"""What is settled before a run starts."""

import jax
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.tree_util import Partial

from cfx_jax.adapters import from_torch
from cfx_jax.explain.run_preparation import devices_for
from cfx_jax.models import ensemble


def test_a_network_that_jax_calls_back_has_one_device():
    """Each device would compute the whole batch; a network in JAX has all of them."""
    torch = pytest.importorskip("torch", reason="the extra 'parity' is not installed")
    called = from_torch(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)))
    in_jax = Partial(lambda image: image.mean((0, 1)))
    first = jax.devices()[0]
    mesh = Mesh(np.array([first, first]), ("data",))
    for classifier in (called, ensemble([in_jax, called])):
        assert devices_for(classifier, mesh).devices.tolist() == [first]
    assert devices_for(in_jax, mesh) is mesh
