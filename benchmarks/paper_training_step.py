"""What a training step of the paper costs on this machine: time, memory, and the hours of the whole
training.

ResNet-50 at 224 px in batches of 128, once with cross-entropy and once with TRADES and its 20 inner
steps (Boreiko et al. 2022). Each step is the trainer's own, jitted and spread over all devices as
``training.fit`` does.

    python -m benchmarks.paper_training_step                       # needs an accelerator
    python -m benchmarks.paper_training_step --batch-size 2 --num-steps 2
"""

import dataclasses
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks.measure import peak_memory, report
from cfx_jax.checks import check_choice, check_num_steps
from cfx_jax.errors import InputError
from cfx_jax.parallel import data_mesh, replicate, shard
from cfx_jax.report import format_table
from experiments.shared import command_line
from trainers import Inputs, Trainer, TrainerConfig, classifier, trades, with_run


@dataclass(frozen=True)
class Config:
    """Measures the paper's training steps."""

    trainings: tuple[str, ...] = ("plain", "trades")
    """Which trainings, in this order; memory is the most that was in use up to the end of each."""
    model: str = "resnet50"
    """Architecture, by name (paper: ResNet-50)."""
    image_size: int = 224
    """Height and width in pixels (paper: 224)."""
    batch_size: int = 128
    """Images of one step, over all devices (paper: 128)."""
    attack_steps: int = 20
    """Steps of the inner maximisation of TRADES (run label of the released code: 20)."""
    num_steps: int = 5
    """Steps measured after the first, of which the median counts."""
    output: str = ""
    """A JSON file for the figures, in benchmarks/results by custom; empty writes none."""


_COLUMNS = [
    "training",
    "compile seconds",
    "seconds per step",
    "images per second",
    "peak GiB",
    "of",
    "hours",
]
_PAPER = with_run(classifier.Config(), num_steps=500 * 395)  # epochs of 31,744 images


class _Training(NamedTuple):
    step: Any
    state: Any


def main(config: Config) -> None:
    """Prints one row for each training; hours are those of 500 epochs at the measured images per
    second.
    """
    check_num_steps(config.num_steps)
    if config.batch_size < 1 or config.batch_size % jax.device_count():
        raise InputError(
            f"batch_size: expected a multiple of {jax.device_count()} devices, got"
            f" {config.batch_size}"
        )
    for name in config.trainings:
        check_choice(name, tuple(_MAKERS), name="trainings")
    jax.config.update(
        "jax_enable_compilation_cache", False
    )  # a cached program would hide what compiling takes
    rows = []
    for name in config.trainings:
        rows.append([name, *_measure(config, _MAKERS[name](config))])
        print(format_table(_COLUMNS, rows[-1:]), flush=True)
    report(config, _COLUMNS, rows, config.output)


def _plain(config: Config) -> _Training:
    return _start(classifier.TRAINER, dataclasses.replace(_PAPER, model=config.model), config)


def _trades(config: Config) -> _Training:
    attack = trades.AttackConfig(num_steps=config.attack_steps)
    return _start(trades.TRAINER, trades.Config(model=config.model, attack=attack), config)


def _start(trainer: Trainer[Any], settings: TrainerConfig, config: Config) -> _Training:
    run = {"num_steps": _PAPER.run.num_steps, "batch_size": config.batch_size}
    given, inputs = with_run(settings, **run), Inputs()
    state = trainer.init(jax.random.key(0), given, inputs)
    return _Training(trainer.make_step(given, inputs), state)


_MAKERS = {"plain": _plain, "trades": _trades}


def _measure(config: Config, training: _Training) -> list[Any]:
    mesh = data_mesh()
    state, batch, key = (
        replicate(training.state, mesh),
        shard(_batch(config), mesh),
        jax.random.key(0),
    )
    everywhere = NamedSharding(mesh, PartitionSpec())
    start = time.perf_counter()
    step = (
        jax.jit(training.step, donate_argnums=0, out_shardings=everywhere)
        .lower(state, key, batch)
        .compile()
    )
    compiling, times = time.perf_counter() - start, []
    for _ in range(config.num_steps + 1):
        start = time.perf_counter()
        state, _ = jax.block_until_ready(step(state, key, batch))
        times.append(time.perf_counter() - start)
    seconds = float(np.median(times[1:]))
    hours = _PAPER.run.num_steps * _PAPER.run.batch_size * seconds / config.batch_size / 3600
    return [compiling, seconds, config.batch_size / seconds, *peak_memory(), hours]


def _batch(config: Config) -> dict[str, np.ndarray]:
    shape = (config.batch_size, config.image_size, config.image_size, 3)
    images = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    return {"image": images, "label": np.arange(config.batch_size) % 2}


if __name__ == "__main__":
    command_line.command(main, Config)
