"""Checkpoints of a training, written by orbax.

A checkpoint is a folder ``WORKDIR/checkpoints/step_00000100``: orbax's arrays (``array_bundles``),
``record.json`` with the name, shape and type of each array of the state in their order, and a
manifest with the SHA-256 of every file. It is written under a temporary name and renamed when it is
complete and durable, so a stop at any moment leaves whole checkpoints only; the digests find damage
that comes later. Saving returns when the checkpoint is on the disk: nothing runs on in the
background that the end of the process could cut off.
"""

import json
import logging
import os
import re
import shutil
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from cfx_jax.errors import InputError, import_extra, reason_of
from cfx_jax.files import digest, read_json, sync_folder, write_text, writing
from cfx_jax.locks import LockedError
from cfx_jax.parallel import first_decides, is_first_process, wait_for_all
from cfx_jax.training.array_bundles import bundle, bundle_like, split_over_devices, unbundle
from cfx_jax.training.named_arrays import Arrays, describe, from_arrays, to_arrays
from cfx_jax.training.workdir import digest_of_config, first_process_alone, prepare_workdir

_FOLDER = "checkpoints"
_PATIENCE = 10.0  # seconds that a thread of a failed write gets to end


class Checkpoint(NamedTuple):
    """The content of a checkpoint.

    Attributes:
        step: number of steps done when it was written.
        state: the state after these steps.
        best: the best state so far by the metric of selection, None where there was none.
        record: the plain values stored beside.
    """

    step: int
    state: Any
    best: Any
    record: dict[str, Any]


def has_checkpoint(workdir: str | Path) -> bool:
    """Whether a training in this folder goes on from a checkpoint.

    A damaged checkpoint counts too.
    """
    return bool(_steps(Path(workdir).expanduser() / _FOLDER))


def _steps(folder: Path) -> list[int]:
    names = (re.fullmatch(r"step_(\d{8,})", path.name) for path in folder.glob("step_*"))
    return sorted(int(match[1]) for match in names if match)


class CheckpointStore:
    """The checkpoints of one training of one configuration.

    Args:
        workdir: the training's folder; made where missing.
        config: the training's configuration, a dataclass or mapping.
        keep: how many of the newest checkpoints stay, at least 2, so that one is left when another
            is damaged.

    Raises:
        InputError: the folder holds something else, or a training of another configuration.
    """

    def __init__(self, workdir: str | Path, config: Any, *, keep: int = 2) -> None:
        if keep < 2:
            raise InputError(
                f"keep: expected at least 2 checkpoints, got {keep}: one may turn out damaged"
            )
        self.workdir = prepare_workdir(workdir, config)
        self._folder, self._keep = self.workdir / _FOLDER, keep
        self._training = digest_of_config(config)
        if is_first_process() and any(self._folder.glob("tmp_*")):
            with suppress(LockedError), first_process_alone(self.workdir):
                for leftover in self._folder.glob("tmp_*"):
                    shutil.rmtree(leftover, ignore_errors=True)

    def steps(self) -> list[int]:
        """Lists the steps that have a checkpoint, oldest first."""
        return _steps(self._folder)

    def latest(self) -> str:
        """Returns a phrase for messages that says where the last good checkpoint is."""
        steps = self.steps()
        return (
            f"the last good checkpoint is {self._path(steps[-1])}"
            if steps
            else "there is no checkpoint yet"
        )

    def save(
        self, step: int, state: Any, *, best: Any = None, record: Mapping[str, Any] | None = None
    ) -> None:
        """Writes a checkpoint, then removes those that are no longer kept.

        Args:
            step: number of steps done.
            state: any pytree of arrays, PRNG keys and numbers.
            best: a pytree like ``state``, or None.
            record: values that JSON knows, given back by ``restore``.

        Raises:
            InputError: it could not be written, a full disk above all, or another process trains
                there; earlier checkpoints are untouched.
        """
        arrays = to_arrays({"state": state} if best is None else {"state": state, "best": best})
        content = {
            "step": step,
            "training": self._training,
            "leaves": describe(arrays),
            "split": split_over_devices(arrays),
            "has_best": best is not None,
            "record": record or {},
        }
        target = self._path(step)
        temporary = self._folder / f"tmp_{target.name}"
        advice = f"free some space and start again; {self.latest()}"
        with first_process_alone(self.workdir):
            try:
                with writing(f"the checkpoint of step {step}", target, advice):
                    self._write(temporary, arrays, content)
                    self._publish(temporary, target)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)

    def restore(self, template: Any) -> Checkpoint | None:
        """Reads the newest checkpoint that is whole.

        Args:
            template: a state like the one saved: structure, shapes, types and placement on devices.

        Returns:
            The checkpoint, or None where none was written yet. A damaged one is passed over with a
            warning and, unless another process trains there, kept under another name.

        Raises:
            InputError: there are checkpoints but none can be read, or the state saved has other
                leaves than ``template``.
        """
        damaged: dict[int, str] = {}
        for step in reversed(first_decides("the checkpoints there are", self.steps())):
            try:
                checkpoint = self._read(step, template)
            except _DamagedError as error:
                # A training that runs may have removed it, for newer ones.
                if not self._path(step).exists():
                    return self.restore(template)
                damaged[step] = str(error)
                continue
            self._set_aside(damaged, step)
            return checkpoint
        if damaged:
            reasons = "; ".join(f"step {step}: {reason}" for step, reason in damaged.items())
            raise InputError(
                f"none of the checkpoints in {self._folder} can be read ({reasons}): restore them"
                f" from a copy, or delete {self.workdir} to start anew"
            )
        return None

    def _path(self, step: int) -> Path:
        return self._folder / f"step_{step:08d}"

    def _write(self, folder: Path, arrays: Arrays, content: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        orbax = import_extra("orbax.checkpoint", "saving checkpoints")
        with _failures_held_back():
            orbax.PyTreeCheckpointer().save(folder / "arrays", bundle(arrays, content["split"]))
        if is_first_process():
            write_text(folder / "record.json", json.dumps(content, indent=1), durable=True)
            write_text(
                folder / "manifest.json", json.dumps(_digests(folder), indent=1), durable=True
            )

    def _publish(self, temporary: Path, target: Path) -> None:
        if is_first_process():
            self._remove(target)
            os.replace(temporary, target)
            sync_folder(self._folder)
            for step in self.steps()[: -self._keep]:
                self._remove(self._path(step))
        wait_for_all(f"{target.name} is written")

    def _remove(self, folder: Path) -> None:
        """Deletes a checkpoint under a temporary name, so that no half of it is left over."""
        if folder.exists():
            doomed = folder.with_name(f"tmp_removed_{folder.name}")
            os.replace(folder, doomed)
            shutil.rmtree(doomed, ignore_errors=True)

    def _read(self, step: int, template: Any) -> Checkpoint:
        folder = self._path(step)
        content = _read_record(folder)
        # Checkpoints of earlier versions do not tell of which training they are.
        if content.get("training", self._training) != self._training:
            raise _DamagedError("it is of another training")
        if content["step"] != step:
            raise _DamagedError(f"it is of step {content['step']}")
        wanted = (
            {"state": template, "best": template} if content["has_best"] else {"state": template}
        )
        arrays = to_arrays(wanted)
        _check_leaves(folder, content["leaves"], describe(arrays))
        # Before there were bundles, every array was stored by itself.
        split = content.get("split", list(arrays))
        tree = from_arrays(wanted, _restore_arrays(folder / "arrays", arrays, split))
        return Checkpoint(content["step"], tree["state"], tree.get("best"), content["record"])

    def _set_aside(self, damaged: Mapping[int, str], good: int) -> None:
        wait_for_all("a checkpoint is read")
        for step, reason in damaged.items():
            kept = self._rename_damaged(step)
            now = f" and now called {kept}" if kept is not None else ""
            warnings.warn(
                f"the checkpoint of step {step} is damaged ({reason}){now}: going on from step"
                f" {good}",
                stacklevel=4,
            )

    def _rename_damaged(self, step: int) -> Path | None:
        """Renames a damaged checkpoint, and returns the new name.

        Returns None where another process trains or nothing can be written.
        """
        aside = self._folder / f"damaged_{self._path(step).name}"
        with suppress(LockedError, OSError), first_process_alone(self.workdir):
            if is_first_process():
                shutil.rmtree(aside, ignore_errors=True)
                os.replace(self._path(step), aside)
            return aside
        return None


class _DamagedError(Exception):
    """A checkpoint that cannot be read; the message says why."""


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): digest(path) for path in files}


def _read_record(folder: Path) -> dict[str, Any]:
    """Reads the record of a checkpoint, all of whose files must be as they were written."""
    try:
        manifest = read_json(folder / "manifest.json", advice="")
        if "record.json" not in manifest:
            raise _DamagedError("manifest.json is not that of a checkpoint")
        for name, expected in manifest.items():
            if not (folder / name).is_file():
                raise _DamagedError(f"{name} is missing")
            if digest(folder / name) != expected:
                raise _DamagedError(f"{name} has changed since it was written")
        return read_json(folder / "record.json", advice="")
    except (OSError, ValueError) as error:
        raise _DamagedError(reason_of(error)) from error


def _check_leaves(folder: Path, stored: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    names = [name for name in {**stored, **wanted} if stored.get(name) != wanted.get(name)]
    if names:
        name, more = names[0], f" and {len(names) - 1} more differ" if len(names) > 1 else ""
        raise InputError(
            f"{folder} does not fit this model: {name} was {stored.get(name, 'absent')}, now"
            f" {wanted.get(name, 'absent')}{more}: build the model that was trained, or choose"
            " another workdir"
        )


def _restore_arrays(folder: Path, template: Arrays, split: list[str]) -> Arrays:
    orbax = import_extra("orbax.checkpoint", "reading checkpoints")
    wanted = bundle_like(template, split)
    restore_args = orbax.checkpoint_utils.construct_restore_args(wanted)
    try:
        with _failures_held_back():
            stored = orbax.PyTreeCheckpointer().restore(
                folder, item=wanted, restore_args=restore_args
            )
        return unbundle(template, stored, split)
    except (OSError, ValueError, KeyError) as error:
        raise _DamagedError(f"{type(error).__name__} while reading its arrays") from error


class _OrbaxErrors(logging.Filter):
    """A filter that keeps what orbax logs as errors from being printed."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def filter(self, record: logging.LogRecord) -> bool:
        held = record.levelno >= logging.ERROR and "orbax" in Path(record.pathname).parts
        if held:
            self.records.append(record)
        return not held


@contextmanager
def _failures_held_back() -> Iterator[None]:
    """Keeps orbax's threads from printing tracebacks of a failure that the block raises itself.

    Errors that they log without a failure of the block are printed after it.
    """
    logger, errors = logging.getLogger("absl"), _OrbaxErrors()
    logger.addFilter(errors)
    try:
        yield
    except BaseException:
        for thread in threading.enumerate():  # those still at work would log their failures later
            if type(thread).__module__.startswith("orbax."):
                thread.join(_PATIENCE)
        errors.records.clear()
        raise
    finally:
        logger.removeFilter(errors)
        for record in errors.records:
            logger.handle(record)
