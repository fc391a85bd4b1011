"""A tiny experiment for several processes: a training, a stage, rows in files, and a report.

python toy_experiment.py --results R --work W [--pause SECONDS] [--late SECONDS] [--fail PROCESS]
"""

import math
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cfx_jax.checks import limits
from cfx_jax.data import training_batches
from cfx_jax.errors import InputError
from cfx_jax.parallel import data_mesh, map_examples
from cfx_jax.report import Claim
from cfx_jax.training import fit
from experiments.shared import (
    Experiment,
    ExperimentConfig,
    PaperReport,
    Workspace,
    command_line,
    fill_rows,
    run_experiment,
    store_parts,
)


@dataclass(frozen=True)
class Config(ExperimentConfig):
    """A toy."""

    steps: int = 8
    pause: float = 0.0
    """Seconds that each evaluation waits; no part of what is computed."""
    late: float = 0.0
    """Seconds that process 1 comes late to the first step, as one does whose compiler is slow."""
    fail: int = field(default=-1, metadata=limits(least=-math.inf))
    """The process that fails in a stage."""


class Source:
    """Sixteen images of one number each."""

    class_names = ("a", "b")
    labels = np.arange(16) % 2

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"image": np.full((2, 2, 1), index / 16, np.float32), "label": index % 2}


class Study(NamedTuple):
    """What is measured."""

    weight: np.ndarray
    squares: np.ndarray
    roots: np.ndarray
    identity: object = "toy"
    note: str = "A toy."


def train(config: Config, workspace: Workspace) -> np.ndarray:
    """The weight of a regression, by all devices."""

    def step(state: Any, key: Any, batch: Any) -> Any:
        time.sleep(config.late * (jax.process_index() == 1))  # when it is traced, once

        def loss(weight: Any) -> Any:
            noise = jax.random.normal(key, (8, 2, 2, 1))
            return jnp.mean((batch["image"] * weight + 0.01 * noise - 1.0) ** 2)

        value, slope = jax.value_and_grad(loss)(state["weight"])
        return {"weight": state["weight"] - 0.1 * slope}, {"loss": value}

    def evaluate(state: Any) -> dict[str, float]:
        time.sleep(config.pause)
        return {"weight": float(state["weight"])}

    batches = training_batches(
        Source(),
        np.arange(16),
        batch_size=8,
        seed=0,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    fitted = fit(
        step,
        {"weight": jnp.zeros(())},
        batches,
        key=jax.random.key(0),
        num_steps=config.steps,
        workdir=workspace.folder("training", config.steps),
        config={"steps": config.steps},
        evaluate=evaluate,
        evaluate_every=1,
        checkpoint_every=2,
        mesh=data_mesh(),
        progress=False,
    )
    return np.asarray(fitted.state["weight"])


def run_study(config: Config, workspace: Workspace) -> Study:
    """A training, then rows that depend on it."""
    weight = train(config, workspace)
    rows = np.arange(6, dtype=np.float32)

    def compute() -> dict[str, np.ndarray]:
        if jax.process_index() == config.fail:
            raise InputError("this process has been told to fail")
        return {"values": map_examples(jnp.multiply, jnp.asarray(weight), rows)}

    values = workspace.cached("values", float(weight), compute)["values"]

    def parts(first: int) -> Any:
        for row in range(first, 6):
            yield {"squares": map_examples(jnp.multiply, 2.0, values[row : row + 1] ** 2)}

    squares = store_parts(workspace, "squares", float(weight), 6, parts)["squares"]
    folder = workspace.folder("filled", float(weight))
    roots = fill_rows(folder, (6,), lambda part: map_examples(_root, None, squares[part]))
    return Study(weight, np.asarray(squares), np.asarray(roots))


def _root(nothing: None, value: Any) -> Any:
    return jnp.sqrt(value)


def write_report(folder: Any, study: Study, claims: Any) -> None:
    """A page with one table, whose numbers all processes compute."""
    halves = map_examples(jnp.multiply, 0.5, study.squares)
    report = PaperReport(folder, "Toy", introduction="A toy.", note=study.note)
    report.section("Numbers")
    report.table("numbers", (["half"], [[float(half)] for half in halves]), "Halves.")
    report.finish(claims, Config())


TOY = Experiment(
    name="toy",
    presets={"demo": Config()},
    study=run_study,
    claims=lambda study: [
        Claim(
            id="roots",
            text="Roots.",
            paper={},
            ours={"last": float(study.roots[-1])},
            interval=None,
            verdict="undecided",
        )
    ],
    write_report=write_report,
    tables=lambda study: [f"weight {study.weight:.9g}"],
    code=["experiments.shared"],
)
main = partial(run_experiment, TOY)


if __name__ == "__main__":
    command_line.run(main, {"demo": Config()}, default="demo", arguments=sys.argv[1:])
