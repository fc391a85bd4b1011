"""The published searches in PyTorch, against closed forms and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from cfx_jax.counterfactuals import vce_batch
from cfx_jax.models import per_image

torch = pytest.importorskip("torch", reason="the extra 'parity' is not installed")
searches = pytest.importorskip("benchmarks.torch_searches")
networks = pytest.importorskip("benchmarks.peers.networks")


def linear_network(scale=0.01):
    """Two logits that are linear in an image of 8 x 8 pixels, far from certain."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2, bias=False))
    network[1].weight.data *= scale
    return network


def slope_of(network):
    """The direction in which class 1 gains, (192,)."""
    return (network[1].weight[1] - network[1].weight[0]).detach().numpy()


@pytest.mark.parametrize("p", [1.5, 2, 4])
def test_a_linear_networks_best_image_has_the_closed_form_of_the_ball(p):
    """Within a radius so small that the box is not reached."""
    network, images = linear_network(), torch.full((1, 3, 8, 8), 0.5)
    found = searches.search(network, images, torch.tensor([1]), p=p, radius=0.05, num_steps=20)
    change = found.images.numpy()[0].ravel() - 0.5
    slope = slope_of(network)
    best = np.sign(slope) * np.abs(slope) ** (1 / (p - 1))
    best *= 0.05 / (np.abs(best) ** p).sum() ** (1 / p)
    np.testing.assert_allclose(change, best, atol=2e-4)


def test_a_linear_networks_best_image_for_linf_moves_every_pixel_by_the_radius():
    network, images = linear_network(), torch.full((1, 3, 8, 8), 0.5)
    options = {"p": float("inf"), "radius": 0.05, "num_steps": 20}
    found = searches.search(network, images, torch.tensor([1]), **options)
    change = found.images.numpy()[0].ravel() - 0.5
    np.testing.assert_allclose(change, 0.05 * np.sign(slope_of(network)), atol=1e-6)


@pytest.mark.parametrize("p", [1.5, 2.5, 4.0])
@pytest.mark.parametrize("radius", [0.3, 0.9, 5.0])
def test_the_oracle_is_at_least_as_good_as_scipys_and_stays_within(p, radius):
    rng = np.random.default_rng(0)
    gradient, center = rng.normal(size=(2, 1, 2, 3)), rng.uniform(size=(2, 1, 2, 3))
    tensors = torch.tensor(gradient), torch.tensor(center)
    changes = searches.best_change(*tensors, p=p, radius=radius).numpy()
    for one, base, change in zip(gradient, center, changes, strict=True):
        assert (np.abs(change) ** p).sum() ** (1 / p) <= radius * (1 + 1e-9)
        assert (base + change >= -1e-9).all() and (base + change <= 1 + 1e-9).all()
        limits = np.stack([-base.ravel(), 1 - base.ravel()], 1)
        ball = {"type": "ineq", "fun": lambda x: radius**p - (np.abs(x) ** p).sum()}
        found = minimize(
            lambda x, g=one: -(g.ravel() @ x), np.zeros(6), bounds=limits, constraints=[ball]
        )
        assert (one * change).sum() >= -found.fun - 1e-5


def test_the_best_image_is_the_one_of_the_highest_value_so_far():
    """With a huge step the iterates get worse; what is kept does not."""
    network = linear_network(scale=1.0)
    images = torch.rand(3, 3, 8, 8)
    targets = torch.tensor([0, 1, 1])
    found = searches.search(network, images, targets, p=2, radius=2.0, num_steps=6)
    values, _ = searches.value_and_gradient(network, found.images, targets)
    np.testing.assert_allclose(values.numpy(), found.trace.max(0).values.numpy(), rtol=1e-5)


def test_steps_are_halved_at_the_published_checkpoints_where_nothing_improves():
    """Of 75 steps: after 16, 30, 42, 52, 60, 66, 70 and 74 (Croce and Hein 2020)."""
    step = torch.ones(1)
    schedule = searches._Schedule(75, step, torch.zeros(1))
    checks = [
        number
        for number in range(1, 76)
        if schedule.look(torch.tensor([False]), torch.zeros(1)) is not None
    ]
    assert checks == [16, 30, 42, 52, 60, 66, 70, 74]
    assert float(schedule.step) == 0.5 ** len(checks)


@pytest.mark.slow
@pytest.mark.parametrize("p", [1.5, 2, 4])
def test_all_iterates_are_those_of_ours_in_float64(p, tmp_path):
    """Of a ResNet-18 on noise, where both follow the same path for 20 steps."""
    model, images, targets = "resnet18", networks.images_of(2, 32), np.array([0, 1])
    options = {"p": p, "radius": {1.5: 9.0, 2: 2.0, 4: 0.2}[p], "num_steps": 20}
    network = networks.torch_network(tmp_path, model).double()
    tensor = networks.channels_first(images.astype(np.float64))
    peer = searches.search(network, tensor, torch.tensor(targets), **options).trace.exp().T
    with jax.enable_x64(True):
        ours = jax.tree.map(
            lambda leaf: (
                leaf.astype(np.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf
            ),
            networks.own_network(tmp_path, model),
        )
        found = vce_batch(per_image(ours), images.astype(np.float64), targets, **options)
    assert peer.std() > 0.01
    np.testing.assert_allclose(found.trace, peer.numpy(), atol=1e-9)
