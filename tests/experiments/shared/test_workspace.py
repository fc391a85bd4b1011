"""Stages are computed once, keep to their own settings, and survive damage."""

import io
import os
import subprocess
import sys
import threading
import zipfile
from dataclasses import dataclass

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.files import replacing
from experiments.shared import Workspace, fingerprint, source_digest, workspace


@dataclass(frozen=True)
class Setting:
    radius: float = 1.0


@dataclass(frozen=True)
class OtherSetting:
    radius: float = 1.0


def test_a_stage_is_computed_once(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return {"x": np.arange(3)}

    for _ in range(2):
        found = Workspace(tmp_path).cached("stage", Setting(), compute)
        np.testing.assert_array_equal(found["x"], [0, 1, 2])
    assert len(calls) == 1


def test_another_setting_leaves_the_first_result_alone(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.cached("stage", Setting(1.0), lambda: {"x": np.zeros(1)})
    workspace.cached("stage", Setting(2.0), lambda: {"x": np.ones(1)})
    assert workspace.cached("stage", Setting(1.0), lambda: {"x": np.full(1, 9.0)})["x"] == 0


def _archive(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _plain_array():
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def _empty_zip():
    file = io.BytesIO()
    zipfile.ZipFile(file, "w").close()
    return file.getvalue()


def _far_too_large(content):
    """The header of an array says that it has 10^15 entries."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(
                name, old.read(name).replace(b"(4,), }            ", b"(1000000000000000,)")
            )
    return file.getvalue()


def _flagged_as_encrypted(content):
    """The flag of the first entry of the archive's table of contents."""
    flags = content.index(b"PK\x01\x02") + 8
    return content[:flags] + b"\x01" + content[flags + 1 :]


def _without_a_member(content):
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            if name != "y.npy":
                new.writestr(name, old.read(name))
    return file.getvalue()


DAMAGES = {
    "cut short": lambda content: content[:20],
    "zero length, as a power cut leaves it": lambda content: b"",
    "an empty archive": lambda content: _empty_zip(),
    "an archive of something else": lambda content: _archive(
        x=np.zeros(4), y=np.zeros(1), z=np.zeros(1)
    ),
    "an array in its place": lambda content: _plain_array(),
    "a member is missing": _without_a_member,
    "more than there is memory": _far_too_large,
    "encrypted": _flagged_as_encrypted,
    "one byte is another": lambda content: (
        content[:150] + bytes([content[150] ^ 1]) + content[151:]
    ),
    "no archive": lambda content: b"no archive" * 99,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_result_is_made_anew(tmp_path, capsys, damage):
    workspace = Workspace(tmp_path)
    workspace.cached("stage", 1, lambda: {"x": np.zeros(4), "y": np.zeros(1)})
    (stored,) = tmp_path.rglob("arrays.npz")
    content = stored.read_bytes()
    stored.write_bytes(DAMAGES[damage](content))
    assert stored.read_bytes() != content
    assert (
        workspace.cached("stage", 1, lambda: {"x": np.ones(4), "y": np.ones(1)})["x"].tolist()
        == [1] * 4
    )
    assert capsys.readouterr().out.count("cannot be read") == 1
    found = workspace.cached("stage", 1, lambda: {})
    assert sorted(found) == ["x", "y"] and found["x"].tolist() == [1] * 4


def test_a_result_reaches_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda _: synced.append(len(list(tmp_path.rglob("arrays.npz"))))
    )
    Workspace(tmp_path).cached("stage", 1, lambda: {"x": np.zeros(1)})
    assert synced == [0, 1]


def test_a_stage_that_another_process_makes_is_one_line(tmp_path):
    workspace, errors = Workspace(tmp_path), []

    def meddle():
        try:
            Workspace(tmp_path).cached("stage", 1, lambda: {"x": np.zeros(1)})
        except InputError as error:
            errors.append(str(error))

    def compute():
        thread = threading.Thread(target=meddle)
        thread.start()
        thread.join()
        return {"x": np.ones(1)}

    assert workspace.cached("stage", 1, compute)["x"] == 1
    assert len(errors) == 1 and errors[0].startswith("another process makes stage here, ")


def test_what_killed_processes_left_is_removed_at_the_next_start(tmp_path):
    code = (
        "import os, sys; from cfx_jax.files import replacing\nwith replacing(sys.argv[1]) as"
        " temporary: temporary.write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "stage-1" / "arrays.npz")], check=False
    )
    with replacing(tmp_path / "stage-2" / "arrays.npz") as living:
        living.write_text("half")
        assert len(list(tmp_path.rglob(".*.tmp"))) == 2
        Workspace(tmp_path)
        assert list(tmp_path.rglob(".*.tmp")) == [living]


def test_a_stage_that_fails_leaves_nothing_behind(tmp_path):
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Workspace(tmp_path).cached("stage", 1, fail)
    assert not list(tmp_path.rglob("arrays.npz"))


def test_fingerprints_tell_settings_types_and_values_apart():
    settings = [
        Setting(),
        Setting(2.0),
        OtherSetting(),
        {"radius": 1.0},
        [Setting(), None],
        (1.5, 2),
        None,
        np.zeros(2),
        np.zeros((2, 1)),
        [np.ones(2)],
    ]
    assert len({fingerprint(each) for each in settings}) == len(settings)
    assert fingerprint(Setting()) == fingerprint(Setting(1.0))
    assert fingerprint(np.zeros(2)) == fingerprint(np.zeros(2))


def test_the_digest_of_code_knows_packages_and_modules(tmp_path, monkeypatch):
    name = workspace.__name__
    chosen = ([name], ["experiments"], [name, "experiments"])
    assert len({source_digest(*names) for names in chosen}) == 3
    other = tmp_path / "workspace.py"
    other.write_text("")
    before = source_digest(name)
    monkeypatch.setattr(workspace, "__file__", str(other))
    assert source_digest(name) != before
