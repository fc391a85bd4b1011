"""The findings of a diagnosis, and the case that is diagnosed."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.errors import InputError, reason_of
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import apply_to_examples


class Finding(NamedTuple):
    """A fault, or a possible one.

    Attributes:
        name: what it is, in one word; ``diagnose`` lists them.
        severity: ``"error"`` where no explanation can be right before it is mended, else
            ``"warning"``.
        message: one line: what was expected, what came, what to do.
        images: the indices of the images that show it; empty where it is about the classifier or
            the arguments.
    """

    name: str
    severity: Literal["error", "warning"]
    message: str
    images: tuple[int, ...] = ()


class Case(NamedTuple):
    """A classifier and images to diagnose: the arguments of ``diagnose``, with NumPy's arrays."""

    classifier: Classifier
    images: Float[np.ndarray, "n h w c"]
    targets: Int[np.ndarray, " n"] | None

    def logits(self, images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "n k"]:
        """Computes the classifier's logits, jitted and vmapped.

        Batches of one size compile once for the whole diagnosis.
        """
        return apply_to_examples(self.classifier, images).astype(np.float64)


def findings_of(
    name: str, check: Callable[..., object], *arguments: object, images: tuple[int, ...] = ()
) -> list[Finding]:
    """Calls ``check(*arguments)``, and gives its error as a finding.

    The result is a list of one finding, or an empty list.

    Args:
        name: the name of the finding.
        check: may raise ``InputError``.
        arguments: the arguments of the check.
        images: the images of the finding.
    """
    try:
        check(*arguments)
    except InputError as error:
        return [Finding(name, "error", str(error), images)]
    return []


def one_line(error: Exception) -> str:
    """Returns an exception's class and what it says is wrong (``errors.reason_of``).

    >>> one_line(ValueError("first line"))
    'ValueError (first line)'
    """
    return type(error).__name__ + (f" ({reason_of(error)})" if str(error) else "")


def share(shown: Bool[np.ndarray, " n"]) -> str:
    """Says in words on how many images something is true.

    >>> share(np.array([True, False]))
    '1 of 2 images'
    """
    return f"{int(shown.sum())} of {len(shown)} images"


def indices(shown: Bool[np.ndarray, " n"]) -> tuple[int, ...]:
    """Lists the indices of the images on which something is true.

    >>> indices(np.array([False, True]))
    (1,)
    """
    return tuple(np.flatnonzero(shown).tolist())
