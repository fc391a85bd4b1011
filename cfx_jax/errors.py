"""The one exception for mistakes that the caller can mend, and the import of optional libraries."""

import importlib
from types import ModuleType

_NOTE_OF_JAX = "JAX_TRACEBACK_FILTERING"


class InputError(ValueError):
    """Something given to the library cannot be used.

    The message is one line: what was expected, what came, what to do.

    Scripts print the message without a traceback, since the mistake is outside the library. Ends of
    lines, which may be in what it quotes of a file, become blanks.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(" ".join(message.splitlines()))

    def add_note(self, note: str, /) -> None:
        """Adds a note as any error does, but not JAX's on the frames that it has left out.

        JAX adds it to whatever is raised under ``jit``, ``vmap`` or ``grad``. Below a message for
        the user it says nothing of use.

        Args:
            note: the note.
        """
        if _NOTE_OF_JAX not in note:
            super().add_note(note)


def reason_of(error: BaseException) -> str:
    """The one line of an error that says what is wrong.

    JAX puts the traceback of a callback before what the callback has raised, and TorchScript its
    own before what an operation has.

    Args:
        error: any exception.

    Returns:
        Its first line, or what stands behind such a traceback; 300 characters at most.

    Example:
        >>> reason_of(RuntimeError('callback: Traceback (...):\\n  File "a.py", line 1\\nE: no'))
        'E: no'
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if "TorchScript interpreter" in lines[0]:
        return lines[-1].removeprefix("RuntimeError: ")[:300]
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    if "Traceback (" not in lines[0] or not frames:
        return lines[0].strip()[:300]
    behind = [line for line in lines[frames[-1] + 1 :] if not line.startswith("    ")]
    return (behind or lines)[0].removeprefix("InputError: ")[:300]


def import_extra(module: str, purpose: str) -> ModuleType:
    """Imports a library that only some uses need.

    Args:
        module: the module's import name, e.g. ``"cv2"``.
        purpose: what it is needed for, completing "needed for ...".

    Returns:
        The imported module.

    Raises:
        InputError: the library is not installed; the message names the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = _PACKAGE_OF_MODULE.get(module.split(".")[0], module.split(".")[0])
        raise InputError(
            f"the package '{package}' is needed for {purpose} and is not installed: run `pip"
            f" install {package}`"
        ) from error


_PACKAGE_OF_MODULE = {
    "cv2": "opencv-python-headless",
    "orbax": "orbax-checkpoint",
    "tensorflow_datasets": "tensorflow-datasets",
    "PIL": "pillow",
}
