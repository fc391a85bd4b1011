import json

import numpy as np
import pytest

from cfx_jax.errors import InputError

torch = pytest.importorskip("torch", reason="the extra 'parity' is not installed")
bridges = pytest.importorskip("benchmarks.torch_bridges")


def test_a_bridge_is_timed_beside_pytorch(tmp_path):
    path = tmp_path / "bridges.json"
    small = {"depth": 18, "image_size": 32, "batch_size": 1, "num_steps": 1, "repeats": 1}
    bridges.main(bridges.Config(**small, bridges=("callback",), output=str(path)))
    written = json.loads(path.read_text())
    (row,) = (dict(zip(written["columns"], row, strict=True)) for row in written["rows"])
    assert row["bridge"] == "callback" and row["gradients alone"] > 0
    assert row["vce / PyTorch"] == pytest.approx(row["vce"] / row["search in PyTorch"])


def test_the_search_in_pytorch_finds_the_gradients_end_of_the_ball(monkeypatch):
    """Of a network whose log-odds are linear, the best image lies along its weights."""
    monkeypatch.setattr(bridges, "_RADIUS", 1.0)  # so small that the box is not reached
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2, bias=False))
    network[1].weight.data *= 0.01  # far from certain: a certain network has no gradient
    images = torch.full((1, 3, 8, 8), 0.5)
    best = bridges._search(network, images, torch.tensor([1]), 20)
    change = np.asarray(best)[0].ravel() - 0.5
    weights = (network[1].weight[1] - network[1].weight[0]).detach().numpy()
    np.testing.assert_allclose(change, weights / np.linalg.norm(weights), atol=1e-3)


def test_other_depths_are_named():
    with pytest.raises(InputError, match="depth: expected one of 18, 50"):
        bridges.main(bridges.Config(depth=34))
