"""The progress bar of a training in a terminal: steps, their speed, and the newest loss."""

from types import TracebackType

import jax

from cfx_jax.errors import import_extra
from cfx_jax.parallel import tell


class StepBar:
    """A bar over the steps of a training, in the first process alone; a context manager."""

    def __init__(self, first: int, num_steps: int, *, progress: bool) -> None:
        """Opens the bar at the steps that are done.

        Args:
            first: steps that are done already.
            num_steps: steps of the whole training.
            progress: whether to show the bar.
        """
        self.is_shown = progress and jax.process_index() == 0
        self._bar = import_extra("tqdm", "the progress bar").tqdm(
            total=num_steps, initial=first, unit="step", disable=not self.is_shown
        )

    def __enter__(self) -> "StepBar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def advance(self, loss: float | None) -> None:
        """Moves the bar by one step.

        Args:
            loss: the newest that is known; None keeps the one that is shown.
        """
        if loss is not None:
            self._bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
        self._bar.update()

    def write(self, text: str) -> None:
        """Prints a line above the bar, where there is one and a text."""
        tell(self._bar, text)
