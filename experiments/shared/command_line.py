"""The command line of experiments: presets, and errors without tracebacks."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import jax

from cfx_jax.allocator import keep_freed_memory
from cfx_jax.errors import InputError, import_extra
from cfx_jax.parallel import CAN_GO_ON, DISTRIBUTED_HELP, is_alone, status_of

C = TypeVar("C")


def run(
    main: Callable[[C], None],
    presets: Mapping[str, C],
    *,
    default: str,
    every_core: bool = False,
    arguments: Sequence[str] | None = None,
) -> None:
    """Parses ``--preset NAME`` and every field of the configuration, then runs the experiment.

    Args:
        main: the experiment.
        presets: configurations by name, dataclasses with a field ``preset``.
        default: the preset where none is named.
        every_core: splits batches over the cores of a host without accelerators, see
            ``use_every_core``.
        arguments: the command line; None for the process's own.

    Several processes work on one experiment where the command line or a cluster says so, see
    ``parallel.start_from_arguments``. A mistake that the user can mend is printed as one line and
    ends the process with status 2.
    """
    if arguments is None:  # the process does nothing else
        keep_freed_memory()

    def start(rest: Sequence[str]) -> None:
        if every_core and is_alone():
            use_every_core()
        preset = _preset(rest, default)
        if preset not in presets:
            raise InputError(f"--preset: expected one of {', '.join(presets)}, got {preset}")
        _start(
            main, type(presets[preset]), rest, more_help=DISTRIBUTED_HELP, default=presets[preset]
        )

    _end_with(status_of(start, arguments, program="error", stopped=CAN_GO_ON))


def command(
    main: Callable[[C], None], config_class: type[C], *, arguments: Sequence[str] | None = None
) -> None:
    """Parses every field of the configuration, then runs a command that has no presets.

    It is one of a single process.

    Args:
        main: the command.
        config_class: its configuration, a dataclass; fields without a default must be given.
        arguments: the command line; None for the process's own.

    A mistake that the user can mend is printed as one line and ends the process with status 2.
    """

    def start(rest: Sequence[str]) -> None:
        if not is_alone():
            raise InputError(
                "expected one process, got several: this command works by itself, start it once,"
                " without srun or with --distributed.num-processes 1"
            )
        _start(main, config_class, rest)

    _end_with(status_of(start, arguments, program="error", stopped=CAN_GO_ON))


def _end_with(status: int) -> None:
    """Ends the process where the command has failed."""
    if status:
        raise SystemExit(status)


def _start(
    main: Callable[[C], None],
    config_class: type[C],
    arguments: Sequence[str],
    *,
    more_help: str = "",
    **options: C,
) -> None:
    tyro = import_extra("tyro", "the command line of experiments")
    about = f"{config_class.__doc__}\n\n{more_help}"
    config = tyro.cli(config_class, args=arguments, prog=_program(), description=about, **options)
    main(config)


def _program() -> str | None:
    """The command that starts this program, for ``--help``; None where it is no module."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return None if spec is None else f"python -m {spec.name.removesuffix('.__main__')}"


def _preset(arguments: Sequence[str], default: str) -> str:
    for position, argument in enumerate(arguments):
        if argument.startswith("--preset="):
            return argument.partition("=")[2]
        if argument == "--preset" and position + 1 < len(arguments):
            return arguments[position + 1]
    return default


def use_every_core() -> None:
    """Lets JAX see up to four cores of the host as devices, over which batches are split.

    It must be called before JAX's first computation.
    Small networks leave most of a second core idle otherwise: two devices take two thirds of the
    time of one. Four, since batches must be multiples of the devices. ``XLA_FLAGS`` or
    ``JAX_NUM_CPU_DEVICES`` that name a number go before.
    """
    named = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if not named and "JAX_NUM_CPU_DEVICES" not in os.environ:
        on_linux = hasattr(os, "sched_getaffinity")
        cores = len(os.sched_getaffinity(0)) if on_linux else os.cpu_count() or 1
        devices = max(count for count in (1, 2, 4) if count <= cores)
        jax.config.update("jax_num_cpu_devices", devices)
