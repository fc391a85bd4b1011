"""Presets, overrides, and mistakes in one line."""

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
from rows import slow_but_first

from cfx_jax.errors import InputError
from experiments.shared import command_line


@dataclass(frozen=True)
class Config:
    preset: str = "small"
    steps: int = 1


PRESETS = {"small": Config(), "large": Config("large", 100)}


def parse(*arguments):
    seen = []
    command_line.run(seen.append, PRESETS, default="small", arguments=arguments)
    return seen[0]


def test_a_preset_sets_the_defaults_and_options_override_them():
    assert parse() == Config("small", 1)
    assert parse("--preset", "large") == Config("large", 100)
    assert parse("--preset=large", "--steps", "7") == Config("large", 7)


def test_an_unknown_preset_lists_the_known_ones(capsys):
    with pytest.raises(SystemExit) as stopped:
        parse("--preset", "huge")
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: --preset: expected one of small, large, got huge\n"


def test_a_mistake_of_the_user_is_one_line_without_a_traceback(capsys):
    def main(config):
        raise InputError("radius: expected a number above 0, got -1")

    with pytest.raises(SystemExit) as stopped:
        command_line.run(main, PRESETS, default="small", arguments=[])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: radius: expected a number above 0, got -1\n"


def test_other_errors_keep_their_traceback():
    def main(config):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command_line.run(main, PRESETS, default="small", arguments=[])


@dataclass(frozen=True)
class Task:
    source: str
    size: int = 224


def test_a_command_needs_the_fields_without_a_default_and_takes_the_others():
    seen = []
    command_line.command(seen.append, Task, arguments=["--source", "here", "--size", "32"])
    command_line.command(seen.append, Task, arguments=["--source", "there"])
    assert seen == [Task("here", 32), Task("there", 224)]
    with pytest.raises(SystemExit) as stopped:
        command_line.command(seen.append, Task, arguments=[])
    assert stopped.value.code == 2


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (InputError("size: too large"), 2, "error: size: too large\n"),
        (KeyboardInterrupt(), 130, "stopped: start the same command again to go on\n"),
    ],
)
def test_a_command_that_stops_says_why_in_one_line(raised, code, line, capsys):
    def main(task):
        raise raised

    with pytest.raises(SystemExit) as stopped:
        command_line.command(main, Task, arguments=["--source", "here"])
    assert stopped.value.code == code
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("environment", "devices"),
    slow_but_first(
        [
            ({}, min(4, 2 ** (len(os.sched_getaffinity(0)).bit_length() - 1))),
            ({"JAX_NUM_CPU_DEVICES": "1"}, 1),
        ]
    ),
)
def test_every_core_is_a_device_unless_the_environment_says_how_many(environment, devices):
    code = (
        "import jax; from experiments.shared import command_line; command_line.use_every_core();"
        " print(len(jax.devices('cpu')))"
    )
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES")
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == devices


def test_help_names_the_command_and_a_pipe_that_nobody_reads_ends_it_quietly():
    command = [sys.executable, "-m", "experiments.score_votes", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.startswith("usage: python -m experiments.score_votes [-h] --key")
    reader, writer = os.pipe()
    os.close(reader)
    unread = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (unread.returncode, unread.stderr) == (141, "")


DAMAGED = """
import sys
from pathlib import Path
import jax
from cfx_jax.compilation import use_compilation_cache
use_compilation_cache()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
for content in (None, lambda program: program[: len(program) // 2], lambda program: b"", None):
    for program in Path(sys.argv[1]).glob("jit_doubled-*-cache"):
        if content is not None:
            program.write_bytes(content(program.read_bytes()))
    jax.clear_caches()
    def doubled(x):
        return x + x
    print(jax.jit(doubled)(3.0), file=sys.stderr)
"""


def test_a_damaged_compiled_program_is_one_line_and_made_anew(tmp_path):
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", DAMAGED, str(tmp_path)]
    lines = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=True
    ).stderr.splitlines()
    message = f"a compiled program of jit_doubled in {tmp_path} is damaged and is made anew"
    assert lines == ["6.0", message, "6.0", message, "6.0", "6.0"]
