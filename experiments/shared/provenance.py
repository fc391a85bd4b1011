"""What made a report: the command, the day, and the versions of what it ran on."""

import platform
import shlex
import sys
from datetime import UTC, datetime

import jax

import cfx_jax


def provenance() -> str:
    """One line: the day in UTC, the command line as it was typed, versions, and the devices."""
    command = shlex.join(["python", "-m", *_module(), *sys.argv[1:]])
    devices = f"{jax.device_count()} {jax.devices()[0].device_kind}"
    versions = (
        f"cfx-jax {cfx_jax.__version__}, JAX {jax.__version__}, Python {platform.python_version()}"
    )
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {versions}; {devices}; {command}"


def _module() -> list[str]:
    """The name under which the program was started, where it was started as a module."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return [spec.name.removesuffix(".__main__")] if spec is not None else [sys.argv[0]]
