"""Weight files: what is read, and what is said of those that are not."""

import json
import sys

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.models import read_tensors

TENSORS = {
    "conv1.weight": np.random.default_rng(0).normal(size=(4, 3, 2, 2)).astype(np.float32),
    "bn1.num_batches_tracked": np.asarray(7),
}
ROUNDED = np.asarray([0.5, -1.25, 3.0], np.float32)  # exact with the 8 bits of bfloat16


def check_equal(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        np.testing.assert_array_equal(found[name], array)


@pytest.fixture
def safetensors():
    return pytest.importorskip(
        "safetensors.numpy", reason="needs safetensors: pip install safetensors"
    )


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="needs PyTorch: pip install 'cfx-jax[parity]'")


def saved(torch, content, file):
    torch.save(content, file)
    return file


def as_torch(torch, tensors):
    return {name: torch.from_numpy(array) for name, array in tensors.items()}


def test_safetensors_are_read_by_name(safetensors, tmp_path):
    safetensors.save_file(TENSORS, tmp_path / "a.safetensors")
    check_equal(read_tensors(tmp_path / "a.safetensors"), TENSORS)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_fractions_in_safetensors_become_float32(safetensors, tmp_path, dtype):
    import ml_dtypes

    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    safetensors.save_file({"module.a": ROUNDED.astype(kind)}, tmp_path / "a.safetensors")
    check_equal(read_tensors(str(tmp_path / "a.safetensors")), {"a": ROUNDED})


@pytest.mark.parametrize("name", ["F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0"])
def test_the_shortest_fractions_in_safetensors_become_float32(safetensors, tmp_path, name):
    """The file is written by hand as its format says: the header's length, the header, the
    numbers.
    """
    values = {
        "F8_E4M3": [0x38, 0xB8, 0x40],
        "F8_E5M2": [0x3C, 0xBC, 0x40],
        "F8_E8M0": [0x7F, 0x80, 0x7E],
    }
    fnuz = {
        "F8_E4M3FNUZ": [0x40, 0xC0, 0x48],
        "F8_E5M2FNUZ": [0x40, 0xC0, 0x44],
    }  # of an exponent one larger
    expected = [1.0, 2.0, 0.5] if name == "F8_E8M0" else [1.0, -1.0, 2.0]
    header = {
        "a": {"dtype": name, "shape": [3], "data_offsets": [0, 3]},
        "b": {"dtype": "F32", "shape": [1], "data_offsets": [3, 7]},
    }
    text = json.dumps(header).encode()
    content = bytes({**values, **fnuz}[name]) + np.float32(7).tobytes()
    (tmp_path / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + content)
    found = read_tensors(tmp_path / "a.safetensors")
    check_equal(found, {"a": np.array(expected, np.float32), "b": np.array([7], np.float32)})


def test_safetensors_without_tensors_and_with_complex_ones_are_refused(safetensors, tmp_path):
    for tensors, found in (
        ({}, "no tensors"),
        ({"a": np.array([1 + 2j], np.complex64)}, "complex numbers in 'a'"),
    ):
        safetensors.save_file(tensors, tmp_path / "a.safetensors")
        with pytest.raises(
            InputError, match=f"expected a state dict, got {found} in .*a.safetensors"
        ):
            read_tensors(tmp_path / "a.safetensors")


@pytest.mark.parametrize("content", [b"", b"no tensors at all", (1 << 60).to_bytes(8, "little")])
def test_damaged_safetensors_are_reported(safetensors, tmp_path, content):
    file = tmp_path / "a.safetensors"
    file.write_bytes(content)
    with pytest.raises(
        InputError,
        match=r"expected the weights of a network, .*a.safetensors cannot be read: is it dam",
    ):
        read_tensors(file)


def test_safetensors_that_are_cut_short_are_reported(safetensors, tmp_path):
    file = tmp_path / "a.safetensors"
    safetensors.save_file(TENSORS, file)
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(InputError, match="cannot be read: is it damaged"):
        read_tensors(file)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin"])
@pytest.mark.parametrize("nested", [None, "state_dict", "model"])
def test_state_dicts_are_read_by_name(torch, tmp_path, suffix, nested):
    state = as_torch(torch, TENSORS)
    content = {nested: state, "epoch": 3} if nested else state
    check_equal(read_tensors(saved(torch, content, tmp_path / f"a{suffix}")), TENSORS)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_fractions_in_state_dicts_become_float32(torch, tmp_path, dtype):
    tensor = torch.from_numpy(ROUNDED).to(getattr(torch, dtype))
    file = saved(torch, {"module.a": torch.nn.Parameter(tensor)}, tmp_path / "a.pt")
    check_equal(read_tensors(file), {"a": ROUNDED})


def test_networks_saved_after_parallel_training_keep_their_names(torch, tmp_path, monkeypatch):
    # Once torchax has been imported, PyTorch has devices that it cannot move this network to.
    parallel = sys.modules["torch.nn.parallel.data_parallel"]
    monkeypatch.setattr(parallel, "_get_available_device_type", lambda: None)
    network = torch.nn.DataParallel(torch.nn.Linear(2, 3))
    assert set(read_tensors(saved(torch, network.state_dict(), tmp_path / "a.pt"))) == {
        "weight",
        "bias",
    }


def test_whole_pickled_models_are_refused(torch, tmp_path):
    file = saved(torch, torch.nn.Linear(2, 3), tmp_path / "a.pt")
    message = (
        "path: expected a state dict, got a whole pickled model in .*a.pt: load it in PyTorch and"
        " save its state_dict"
    )
    with pytest.raises(InputError, match=message):
        read_tensors(file)


@pytest.mark.filterwarnings("ignore")
def test_compiled_models_are_refused(torch, tmp_path):
    file = tmp_path / "a.pt"
    torch.jit.script(torch.nn.Linear(2, 3)).save(file)
    with pytest.raises(InputError, match="expected a state dict, got a whole pickled model"):
        read_tensors(file)


def test_pickles_of_other_things_are_refused(torch, tmp_path):
    for content, found in [
        (torch.zeros(2), "a Tensor"),
        ({}, "an empty dict"),
        ({"epoch": 3}, "a dict with 'epoch', which is no tensor"),
        ({"model": {"a": {"b": torch.zeros(1)}}}, "a dict with 'a', which is no tensor"),
        ({3: torch.zeros(2)}, "a dict with 3, which is no name,"),
        ({"a": torch.eye(2).to_sparse()}, "'a', no plain tensor .*Sparse.*"),
        ({"a": torch.empty(2, device="meta")}, "'a', no plain tensor .*meta.*"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, "complex numbers in 'a'"),
        (
            {"a": torch.zeros(1), "module.a": torch.zeros(1)},
            "a dict with 'a' and the same with 'module.' before it",
        ),
    ]:
        with pytest.raises(InputError, match=f"expected a state dict, got {found} in "):
            read_tensors(saved(torch, content, tmp_path / "a.pt"))


def test_pytorch_that_runs_what_is_in_a_file_is_refused(torch, tmp_path, monkeypatch):
    file = saved(torch, as_torch(torch, TENSORS), tmp_path / "a.pt")
    for version in ("2.5.1+cpu", "1.13.0", "2.0.0a0+git1"):
        monkeypatch.setattr(torch, "__version__", version)
        with pytest.raises(
            InputError,
            match=r"PyTorch: expected version 2.6 or newer, .* got .*: update it, or convert",
        ):
            read_tensors(file)
    monkeypatch.setattr(torch, "__version__", "2.10.0")
    assert set(read_tensors(file)) == set(TENSORS)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02garbage", b"no pickle at all"])
def test_damaged_state_dicts_are_reported(torch, tmp_path, content):
    file = tmp_path / "a.pth"
    file.write_bytes(content)
    with pytest.raises(
        InputError,
        match=r"expected the weights of a network, .*a.pth cannot be read: is it damaged",
    ):
        read_tensors(file)


def test_state_dicts_that_are_cut_short_are_reported(torch, tmp_path):
    file = saved(torch, as_torch(torch, TENSORS), tmp_path / "a.pt")
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(InputError, match="cannot be read: is it damaged"):
        read_tensors(file)


@pytest.mark.parametrize("name", ["a.npz", "weights"])
def test_other_files_are_refused(tmp_path, name):
    with pytest.raises(
        InputError,
        match=rf"path: expected a file ending in .safetensors, .pt, .*, got .*{name}",
    ):
        read_tensors(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"path: expected a file of weights, got .*a.pth, which does not exist"
    ):
        read_tensors(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("library", "suffix"), [("safetensors", ".safetensors"), ("torch", ".pth")]
)
def test_a_missing_library_is_named(monkeypatch, tmp_path, library, suffix):
    monkeypatch.setitem(sys.modules, library, None)
    (tmp_path / f"a{suffix}").write_bytes(b"")
    message = (
        f"the package '{library}' is needed for reading .* and is not installed: run `pip install"
        f" {library}`"
    )
    with pytest.raises(InputError, match=message):
        read_tensors(tmp_path / f"a{suffix}")
