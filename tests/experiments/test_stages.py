"""Stages are computed once, keep to their own settings, and survive damage."""

from dataclasses import dataclass

import numpy as np
import pytest

from experiments.stages import Workspace, fingerprint


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


def test_a_damaged_result_is_made_anew(tmp_path, capsys):
    workspace = Workspace(tmp_path)
    workspace.cached("stage", 1, lambda: {"x": np.zeros(1)})
    (stored,) = tmp_path.rglob("arrays.npz")
    stored.write_bytes(stored.read_bytes()[:20])
    assert workspace.cached("stage", 1, lambda: {"x": np.ones(1)})["x"] == 1
    assert "cannot be read" in capsys.readouterr().out


def test_a_stage_that_fails_leaves_nothing_behind(tmp_path):
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Workspace(tmp_path).cached("stage", 1, fail)
    assert not list(tmp_path.rglob("arrays.npz"))


def test_fingerprints_tell_settings_types_and_values_apart():
    settings = [Setting(), Setting(2.0), OtherSetting(), {"radius": 1.0}, [Setting(), None], (1.5, 2), None]
    assert len({fingerprint(each) for each in settings}) == len(settings)
    assert fingerprint(Setting()) == fingerprint(Setting(1.0))
