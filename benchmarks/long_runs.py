"""What `explain` costs beside the model's own gradients, its memory, and its result after kills.

Throughput: images are explained into a folder by one method, and a bare loop computes the logits of
the same images and as many vmapped gradients as the method needs, at the same batch size. Both take
turns in one process, over a part of the images and over all of them. The difference of the two
lengths gives the seconds of an image, with reading and writing; the rest of the shorter run is its
start, with the diagnosis. Both make the ratio of a run of 2,000 images.

Memory: the peak of a process that explains few images, and of one that explains ten times as many.

Kills: a process that explains images is killed at random moments and started again until it ends;
then its files are compared with those of an uninterrupted run, bit by bit.

A small network and 2,000 images; one of real size; memory; twenty kills::

    python -m benchmarks.long_runs
    python -m benchmarks.long_runs --model resnet18 --image-size 224 --num-images 64 --batch-size 4
    python -m benchmarks.long_runs --part memory
    python -m benchmarks.long_runs --part kills
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.measure import classifier, memory_in_use, report, value_and_gradient
from cfx_jax.checks import check_choice
from cfx_jax.errors import InputError
from cfx_jax.explain import METHODS, Settings, explain
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import data_mesh, replicate, shard
from experiments.shared import command_line

_DIAGNOSED = 8
"""Images that the diagnosis of a run looks at."""


@dataclass(frozen=True)
class Config:
    """Measures long runs of `explain`."""

    part: str = "throughput"
    """throughput, memory or kills."""
    model: str = "resnet_small"
    """Architecture, by name."""
    image_size: int = 32
    """Height and width in pixels."""
    num_images: int = 2000
    """Images of a run; of the smaller one, a tenth, where memory is measured."""
    batch_size: int = 16
    """Images computed at once."""
    methods: tuple[str, ...] = (
        "gradient",
        "integrated_gradients",
        "smooth_grad",
        "vce",
        "smallest",
    )
    """Which methods."""
    num_steps: int = 10
    """Steps of a search for a counterfactual."""
    num_nodes: int = 10
    """Of integrated gradients, and samples of SmoothGrad."""
    repeats: int = 2
    """How often both lengths are measured where throughput is; the least counts."""
    num_kills: int = 20
    """How often the process is killed."""
    output: str = ""
    """A JSON file for the figures, in benchmarks/results by custom; empty writes none."""
    child: str = ""
    """A folder: explain into it and end. For the processes that this script starts."""


class Images:
    """Noise that is drawn when it is asked for."""

    class_names = ()

    def __init__(self, first: int, count: int, size: int) -> None:
        """Keeps numbers, and no image.

        Args:
            first: seed of the first image.
            count: how many images there are.
            size: height and width.
        """
        self._first, self._count, self._size = first, count, size

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> dict[str, Any]:
        rng = np.random.default_rng(self._first + number)
        return {"image": rng.random((self._size, self._size, 3), np.float32)}


def main(config: Config) -> None:
    """Measures one part, or explains in the place of a process that is measured."""
    parts: dict[str, Callable[[Config], tuple[list[str], list[list[Any]]]]] = {
        "throughput": _throughput,
        "memory": _memory,
        "kills": _kills,
    }
    check_choice(config.part, tuple(parts), name="part")
    if config.child:
        _run(config, Images(0, config.num_images, config.image_size), config.methods, config.child)
        print(memory_in_use("VmHWM"))
        return
    columns, rows = parts[config.part](config)
    report(config, columns, rows, config.output)


def _run(
    config: Config, images: Images, methods: tuple[str, ...], folder: str, model: Any = None
) -> Any:
    return explain(
        model or classifier(config.model),
        images,
        methods=methods,
        folder=folder,
        radii=(),
        num_steps=config.num_steps,
        num_nodes=config.num_nodes,
        num_samples=config.num_nodes,
        batch_size=config.batch_size,
    )


def _throughput(config: Config) -> tuple[list[str], list[list[Any]]]:
    settings = Settings(
        2.0, 1.0, 4.0, 0.9, config.num_steps, config.num_nodes, config.num_nodes, radii=()
    )
    model = classifier(config.model)
    rows = []
    for method in config.methods:
        num_gradients = METHODS[method].num_gradients(settings)
        if num_gradients is None:
            raise InputError(f"methods: expected some that cost gradients alone, got {method}")
        rows.append([method, num_gradients, *_figures(config, model, method, num_gradients)])
        print(rows[-1], flush=True)
    columns = ["seconds an image", "alone", "ratio", "CPU ratio", "start", "ratio of 2,000"]
    return ["method", "gradients", *columns], rows


def _figures(config: Config, model: Classifier, method: str, num_gradients: int) -> list[float]:
    """The figures of one method, as the columns name them."""
    short = max(config.num_images // 4, _DIAGNOSED)  # both runs diagnose as many images
    lengths = np.array([short, config.num_images])
    _pair(config, model, method, num_gradients, config.batch_size)  # compiles
    times = [
        [_pair(config, model, method, num_gradients, int(length)) for length in lengths]
        for _ in range(config.repeats)
    ]
    least = np.min(times, axis=0)  # (lengths, sides, clocks)
    an_image = (least[1] - least[0]) / (lengths[1] - lengths[0])  # (sides, clocks)
    (seconds, _), (alone, _) = an_image
    ratio, cpu_ratio = an_image[0] / an_image[1]
    start = least[0, 0, 0] - seconds * short
    return [*map(float, (seconds, alone, ratio, cpu_ratio, start, ratio + start / (2000 * alone)))]


def _pair(
    config: Config, model: Classifier, method: str, num_gradients: int, count: int
) -> list[tuple[float, float]]:
    """Seconds of a run over so many images, and of the bare loop."""
    images = Images(0, count, config.image_size)
    with tempfile.TemporaryDirectory() as folder:
        run = _seconds(partial(_run, config, images, (method,), folder, model))
    return [run, _seconds(partial(_bare_loop, config, model, images, num_gradients))]


def _seconds(call: Callable[[], Any]) -> tuple[float, float]:
    """Wall clock and CPU seconds of a call; on a busy machine only the latter can be compared."""
    start = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start[0], time.process_time() - start[1]


@jax.jit
def _logits(model: Classifier, images: jax.Array) -> jax.Array:
    return jax.vmap(model)(images)


def _bare_loop(config: Config, model: Classifier, images: Images, num_gradients: int) -> Any:
    """The logits of all images, and the gradients, with nothing around them."""
    mesh = data_mesh()
    held = replicate(model, mesh)
    answer = None
    for start in range(0, len(images), config.batch_size):
        numbers = range(start, min(start + config.batch_size, len(images)))
        batch = np.stack([images[number]["image"] for number in numbers])
        padding = ((0, config.batch_size - len(batch)), (0, 0), (0, 0), (0, 0))
        placed = shard(np.pad(batch, padding), mesh)
        targets = _logits(held, placed).argmin(1)
        for _ in range(num_gradients):
            answer = value_and_gradient(held, placed, targets)
        jax.block_until_ready(answer)
    return answer


def _child(config: Config, folder: Path, num_images: int) -> subprocess.Popen[str]:
    options = {
        "model": config.model,
        "image-size": config.image_size,
        "batch-size": config.batch_size,
        "num-steps": config.num_steps,
        "num-nodes": config.num_nodes,
        "num-images": num_images,
        "child": folder,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "benchmarks.long_runs", *words, "--methods", *config.methods]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _memory(config: Config) -> tuple[list[str], list[list[Any]]]:
    rows: list[list[Any]] = []
    for count in (config.num_images // 10, config.num_images):
        with tempfile.TemporaryDirectory() as folder:
            told, _ = _child(config, Path(folder) / "run", count).communicate()
        rows.append([count, float(told.split()[-1])])
    return ["images", "peak GiB"], rows


def _kills(config: Config) -> tuple[list[str], list[list[Any]]]:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        whole, killed = Path(place) / "whole", Path(place) / "killed"
        started = time.perf_counter()
        _child(config, whole, config.num_images).communicate()
        length = time.perf_counter() - started
        kills = 0
        while kills < config.num_kills:
            process = _child(config, killed, config.num_images)
            with_results = len(list(killed.rglob("*.npz")))
            try:
                process.communicate(timeout=float(rng.uniform(0, length)))
                break  # it has ended by itself
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.communicate()
                kills += 1
            print(f"kill {kills}: {with_results} results before this start", flush=True)
        _child(config, killed, config.num_images).communicate()
        is_equal = _contents(whole / "images") == _contents(killed / "images")
    return ["kills", "images", "equal"], [[kills, config.num_images, str(is_equal)]]


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


if __name__ == "__main__":
    command_line.command(main, Config)
