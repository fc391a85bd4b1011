import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.training import load_config
from cfx_jax.training.workdir import prepare_workdir


@dataclass(frozen=True)
class Inner:
    radius: float = 0.25
    p: float = float("inf")


@dataclass(frozen=True)
class Config:
    name: str = "net"
    sizes: tuple[int, ...] = (1, 2)
    inner: Inner = field(default_factory=Inner)


def test_a_new_folder_is_made_with_its_parents_and_holds_the_configuration(tmp_path: Path) -> None:
    folder = prepare_workdir(tmp_path / "a" / "b", Config())
    assert folder == tmp_path / "a" / "b"
    assert load_config(folder) == {
        "name": "net",
        "sizes": [1, 2],
        "inner": {"radius": 0.25, "p": float("inf")},
    }


def test_the_same_configuration_is_accepted_again_as_dataclass_or_mapping(tmp_path: Path) -> None:
    for config in (Config(), Config(), load_config(prepare_workdir(tmp_path / "w", Config()))):
        prepare_workdir(tmp_path / "w", config)


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    stored = load_config(
        prepare_workdir(tmp_path, {"steps": np.int64(3), "rate": np.float32(0.5), "path": tmp_path})
    )
    assert stored == {"steps": 3, "rate": 0.5, "path": str(tmp_path)}


def test_an_empty_folder_hidden_files_and_a_start_cut_short_are_accepted(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").touch()
    (tmp_path / ".training.json.0123456789ab.tmp").write_text('{"format": ')
    prepare_workdir(tmp_path, Config())
    assert load_config(tmp_path)["name"] == "net"


def test_another_configuration_is_refused_with_both_values_of_each_field(tmp_path: Path) -> None:
    prepare_workdir(tmp_path / "w", {"lr": 0.1, "attack": {"radius": 0.25, "old": 1}, "same": 3})
    message = (
        r"w holds a training of another configuration \(lr was 0\.1, now 0\.2; attack\.radius was"
        r" 0\.25, now 0\.5;"
        r" attack\.old was 1, now absent; attack\.new was absent, now 2\): choose another workdir"
        r" or delete this one$"
    )
    with pytest.raises(InputError, match=message):
        prepare_workdir(tmp_path / "w", {"lr": 0.2, "attack": {"radius": 0.5, "new": 2}, "same": 3})
    assert load_config(tmp_path / "w")["lr"] == 0.1


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(
        InputError,
        match=r"holds other files \(photos\) and no training of this library: choose an empty",
    ):
        prepare_workdir(tmp_path, Config())
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w").touch()
    with pytest.raises(
        InputError, match=r"expected a folder, .*w is a file: choose another workdir"
    ):
        prepare_workdir(tmp_path / "w", Config())


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError,
        match=r"the configuration could not be written to .*choose a workdir that can be",
    ):
        prepare_workdir(tmp_path / "file" / "w", Config())


def test_a_configuration_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    for config, kind in ((3, "int"), (Config, "type")):
        with pytest.raises(
            InputError, match=f"config: expected a dataclass or a mapping, got {kind}"
        ):
            prepare_workdir(tmp_path / "w", config)


def test_reading_the_configuration_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"holds no training \(training.json is missing\): check the path"
    ):
        load_config(tmp_path)
    form = json.loads((prepare_workdir(tmp_path / "w", {}) / "training.json").read_text())["format"]
    damages = [
        '{"form',
        "[" * 100_000,
        "",
        json.dumps({"format": form}),
        json.dumps({"format": form, "config": [1]}),
    ]
    for damage in damages:
        (tmp_path / "training.json").write_text(damage)
        with pytest.raises(
            InputError,
            match=r"training.json' is damaged, .*: restore it, or delete .* to start anew$",
        ):
            load_config(tmp_path)
    (tmp_path / "training.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(
        InputError, match=r"was not written by this library .*choose another workdir"
    ):
        load_config(tmp_path)
