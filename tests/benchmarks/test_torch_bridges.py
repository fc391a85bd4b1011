import json

import pytest

from cfx_jax.errors import InputError

pytest.importorskip("torch", reason="the extra 'parity' is not installed")
bridges = pytest.importorskip("benchmarks.torch_bridges")


def test_a_bridge_is_timed_beside_pytorch(tmp_path):
    path = tmp_path / "bridges.json"
    small = {"depth": 18, "image_size": 32, "batch_size": 1, "num_steps": 1, "repeats": 1}
    bridges.main(bridges.Config(**small, bridges=("callback",), output=str(path)))
    written = json.loads(path.read_text())
    (row,) = (dict(zip(written["columns"], row, strict=True)) for row in written["rows"])
    assert row["bridge"] == "callback" and row["gradients alone"] > 0
    assert row["vce / PyTorch"] == pytest.approx(row["vce"] / row["search in PyTorch"])


def test_other_depths_are_named():
    with pytest.raises(InputError, match="depth: expected one of 18, 50"):
        bridges.main(bridges.Config(depth=34))
