"""What the options about images are checked for, in one way for every experiment."""

from collections.abc import Sequence

from cfx_jax.errors import InputError


def remaining_share(**named: float) -> float:
    """The share of images that is left for the part that has no option.

    Args:
        named: the shares of the other parts, by their options.

    Raises:
        InputError: nothing is left.
    """
    rest = 1.0
    for share in named.values():
        rest -= share
    if rest <= 0:
        raise InputError(
            f"{', '.join(f'--{name}' for name in named)}: expected a sum below 1, got {1 - rest:g}"
        )
    return rest


def check_no_classes(classes: Sequence[str], data: str) -> None:
    """Checks that no class folders are named for images that have classes of their own.

    Args:
        classes: the option ``--classes``.
        data: the option ``--data``.

    Raises:
        InputError: some are.
    """
    if classes:
        raise InputError(
            f"--classes: expected none with --data {data}, which has its own: leave it out"
        )
