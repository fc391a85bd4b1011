"""The comparison with Captum runs, agrees with itself, and names mistakes before anything is
compiled.
"""

import json
from importlib.util import find_spec

import jax
import numpy as np
import pytest

from benchmarks import attributions, measure, own_attributions
from cfx_jax.errors import InputError

SMALL = {"model": "resnet_small", "image_size": 32, "num_steps": 3, "repeats": 1}
PEER = find_spec("torch") and find_spec("captum")


def rows(path, **options):
    """The rows that the benchmark writes, as dictionaries by column."""
    attributions.main(attributions.Config(**SMALL, **options, output=str(path)))
    written = json.loads(path.read_text())
    return [dict(zip(written["columns"], row, strict=True)) for row in written["rows"]]


def test_own_columns_need_no_peer(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(attributions, "find_spec", lambda name: None)
    first, second = rows(tmp_path / "own.json", methods=("input_x_gradient",))
    assert [first["method"], second["method"]] == ["value_and_gradient", "input_x_gradient"]
    assert first["in gradients"] == 1
    assert second["in gradients"] == pytest.approx(second["seconds"] / first["seconds"])
    assert (
        second["Captum seconds"]
        is second["peak / Captum's"]
        is second["largest difference"]
        is None
    )
    assert "our columns alone" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(not PEER, reason="needs PyTorch and Captum: pip install 'cfx-jax[parity]'")
def test_maps_are_captums_and_ratios_add_up(tmp_path):
    methods = tuple(own_attributions.explanations(num_steps=3, nodes_per_batch=1, sigma=0.15))[1:]
    found = {
        row["method"]: row
        for row in rows(tmp_path / "both.json", methods=methods, batch_size=2)[1:]
    }
    assert tuple(found) == methods
    compared = {
        "gradient",
        "input_x_gradient",
        "guided_backprop",
        "integrated_gradients",
        "grad_cam",
    }
    assert {
        name for name, row in found.items() if row["largest difference"] is not None
    } == compared
    for name in compared:
        assert found[name]["largest difference"] < 1e-4
    for name in compared | {"smooth_grad"}:
        row = found[name]
        assert row["seconds / Captum's"] == pytest.approx(row["seconds"] / row["Captum seconds"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ("lime",)}, "methods: expected one of 'gradient', .*'score_cam', got 'lime'"),
        ({"batch_size": 0}, "batch_size: expected an integer of at least 1, got 0"),
        ({"nodes_per_batch": 0}, "nodes_per_batch: expected an integer of at least 1, got 0"),
        ({"repeats": 0}, "repeats: expected an integer of at least 1, got 0"),
        ({"num_steps": 0}, "num_steps: expected an integer of at least 1, got 0"),
        ({"model": "vgg"}, "model: expected one of .*'resnet50'.*, got 'vgg'"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(InputError, match=message):
        attributions.main(attributions.Config(**{**SMALL, **options}))


def test_peak_memory_is_what_a_call_touches():
    """128 MiB that are written to and given back, and 128 MiB that are only asked for."""
    touched = measure.peak_memory_of(lambda: np.ones(2**24).sum())
    if touched is None:
        pytest.skip("this system does not tell a process its peak memory")
    assert 0.12 < touched < 0.2
    assert measure.peak_memory_of(lambda: np.empty(2**24).size) < 0.05


def test_without_the_systems_files_there_is_no_figure(monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(measure.Path, "write_text", refused)
    assert measure.peak_memory_of(lambda: 0) is None


def test_memory_is_the_calls_on_a_cpu_and_the_programs_elsewhere(monkeypatch):
    program = (
        jax.jit(lambda x: (x[:, None] * x).sum(axis=0))
        .lower(jax.ShapeDtypeStruct((64,), np.float32))
        .compile()
    )
    monkeypatch.setattr(measure, "peak_memory_of", lambda call: 7.0)
    assert measure.memory_of(program, lambda: None) == 7
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    sizes = program.memory_analysis()
    expected = (sizes.temp_size_in_bytes + sizes.output_size_in_bytes) / 2**30
    assert measure.memory_of(program, lambda: None) == expected
