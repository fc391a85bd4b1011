"""The former name of ``experiments.shared.experiment``, until every paper uses the new one."""

import functools
from collections.abc import Callable, Mapping
from typing import TypeVar

from experiments.shared import experiment as current
from experiments.shared.experiment import draw_once as draw_once
from experiments.shared.experiment import drawing_digest as drawing_digest
from experiments.shared.experiment import results_folder as results_folder

C = TypeVar("C")


def alone(
    experiment: str, presets: Mapping[str, C]
) -> Callable[[Callable[[C], None]], Callable[[C], None]]:
    """Decorates an experiment, so that no two processes run it into the same results."""

    def decorate(main: Callable[[C], None]) -> Callable[[C], None]:
        @functools.wraps(main)
        def run(config: C) -> None:
            with current.alone(experiment, results_folder(experiment, config, presets)):
                main(config)

        return run

    return decorate
