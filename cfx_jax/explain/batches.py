"""Explanations one after the other: images are read ahead, and computed in groups of one size.

Image i belongs to group ``i // batch_size`` and has the same place in it whatever is computed now.
A group is filled up to one size, so that all groups run the same programs. An image's result
therefore has the same bits in every shard and after every stop; with another number of devices or
another batch size it differs by rounding.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.array_types import at_least_float32
from cfx_jax.explain.explanation import Explanation
from cfx_jax.explain.generator_methods import ALL_METHODS
from cfx_jax.explain.images import Images
from cfx_jax.explain.methods import Example, Outcome
from cfx_jax.explain.result_folder import Skipped
from cfx_jax.explain.run_manifest import Run
from cfx_jax.objectives import Classifier, decision
from cfx_jax.parallel import (
    ExampleMap,
    example_keys,
    gather,
    progress_bar,
    shard,
    tell_memory,
)

NO_LOGITS = "the model's logits are NaN or infinite"
_THREADS = 4
_ASSUMED = 20
"""Gradients that the bar counts for a method that needs forward passes alone."""
_RUNNER_UP = -1
In = TypeVar("In")
Out = TypeVar("Out")


class Group(NamedTuple):
    """Images that are computed at once.

    Attributes:
        numbers: the numbers in the run of the images that could be read.
        images: (size, h, w, c), each image in its place; other places repeat an image.
        places: where in ``images`` the images of ``numbers`` are.
        skipped: the images that could not be read.
    """

    numbers: list[int]
    images: Float[np.ndarray, "size h w c"]
    places: list[int]
    skipped: list[Skipped]


class Decision(NamedTuple):
    """The classifier's answer to one image, and the class that a counterfactual is to reach."""

    logits: Float[Array, " k"]
    predicted: Int[Array, ""]
    target: Int[Array, ""]


def decide(classifier: Classifier, given: tuple[Float[Array, "h w c"], Int[Array, ""]]) -> Decision:
    """Computes the logits, the predicted class and the target of one image.

    Args:
        classifier: one image -> logits ``(k,)``.
        given: the image, and the wanted class; -1 takes the second most probable.
    """
    image, wanted = given
    logits = at_least_float32(classifier(image))
    predicted = decision(logits)
    runner_up = jnp.where(jnp.arange(len(logits)) == predicted, -jnp.inf, logits).argmax()
    return Decision(logits, predicted, jnp.where(wanted == _RUNNER_UP, runner_up, wanted))


class Started(NamedTuple):
    """A group whose results may not be computed yet.

    Attributes:
        group: the images.
        num_images: how many images it has, with those that could not be read.
        decision: for each place, on the devices; None where no image could be read.
        outcomes: the same, by method.
    """

    group: Group
    num_images: int
    decision: Decision | None
    outcomes: dict[str, Outcome]


class Programs:
    """The compiled programs of a run, one for each method."""

    def __init__(
        self,
        decision: ExampleMap,
        shared: Mapping[str, Any],
        run: Run,
        *,
        key: PRNGKeyArray,
        mesh: Mesh,
    ) -> None:
        """Places on the devices what the programs share.

        Args:
            decision: the program of ``decide``.
            shared: by method, the classifier as a pytree, or what else its ``compute`` takes.
            run: the run.
            key: of all random draws.
            mesh: the devices.
        """
        self.run, self._decision, self._key, self._mesh = run, decision, key, mesh
        self.size = places_for(run.batch_size, mesh)
        self._programs = {
            name: ExampleMap(partial(method.compute, run.settings), shared[name], mesh=mesh)
            for name, method in ((name, ALL_METHODS[name]) for name in run.methods)
        }

    def start(
        self, numbers: Sequence[int], pictures: Sequence[np.ndarray | str], *, bar: Any = None
    ) -> Started:
        """Starts the computation of a group.

        Args:
            numbers: of the group's images.
            pictures: the images, or why there is none.
            bar: above which the memory of each method is told; None tells nothing.
        """
        group = grouped(numbers, pictures, self.size)
        if not group.numbers:
            return Started(group, len(numbers), None, {})
        padded = [*numbers, *[numbers[-1]] * (self.size - len(numbers))]
        wanted = np.array([wanted_class(self.run.targets, number) for number in padded])
        images, wanted = shard((group.images, wanted), self._mesh)
        keys = shard(example_keys(self._key, jnp.asarray(padded)), self._mesh)
        decision = self._decision((images, wanted))
        examples = Example(images, decision.predicted, decision.target, keys)
        outcomes = {}
        for name, program in self._programs.items():
            if bar is not None:
                tell_memory(bar, name, program.memory(examples))
            outcomes[name] = program(examples)
        return Started(group, len(numbers), decision, outcomes)


def places_for(batch_size: int, mesh: Mesh) -> int:
    """The places of a group on the devices, which share them evenly."""
    return -(-batch_size // mesh.size) * mesh.size


def wanted_class(targets: str | int | Sequence[int], number: int) -> int:
    """The class that an image is to reach, -1 for its second most probable.

    Args:
        targets: as in ``Run``.
        number: of the image.
    """
    if isinstance(targets, str):
        return _RUNNER_UP
    return targets if isinstance(targets, int) else targets[number]


def stream(
    programs: Programs, images: Images, groups: Iterable[int], *, progress: bool
) -> Iterator[Explanation | Skipped]:
    """Explains groups of images, one after the other.

    Memory holds a few groups, however many there are: two that are read ahead, one that is
    computed, and one whose results are gathered.

    Args:
        programs: of the run.
        images: of the run, read in threads ahead of the computation.
        groups: numbers of the groups to compute.
        progress: shows one bar for all images and methods, with the time that is left.

    Yields:
        For each image of the groups its explanation, or why there is none.
    """
    run = programs.run
    members = [group_members(run, group) for group in groups]
    shown = "explain" if progress else False
    with (
        ThreadPoolExecutor(_THREADS) as pool,
        progress_bar(sum(map(len, members)), shown, unit="images") as bar,
    ):
        pictures = ahead(
            pool,
            lambda number: images.image_or_reason(number, run.shape),
            (number for numbers in members for number in numbers),
            depth=2 * run.batch_size,
        )
        started: deque[Started] = deque()
        told = not progress
        for numbers in members:
            read = [next(pictures) for _ in numbers]
            started.append(programs.start(numbers, read, bar=None if told else bar))
            told = told or started[-1].decision is not None
            if len(started) > 1:  # the devices have work while results are gathered
                yield from _finished(run, started.popleft(), bar)
        while started:
            yield from _finished(run, started.popleft(), bar)


def _finished(run: Run, started: Started, bar: Any) -> Iterator[Explanation | Skipped]:
    """Waits for a group, and moves the bar by what each method costs."""
    group, count, decision, outcomes = started
    yield from group.skipped
    costs = {name: ALL_METHODS[name].num_gradients(run.settings) or _ASSUMED for name in outcomes}
    gathered = {}
    for name, outcome in outcomes.items():
        gathered[name] = gather(outcome)
        bar.update(count * costs[name] / sum(costs.values()))
    if decision is None:
        bar.update(count)
    else:
        yield from explanations_of(run, group, gather(decision), gathered)


def group_members(run: Run, group: int) -> range:
    """The numbers of the images of a group."""
    first = group * run.batch_size
    return range(first, min(first + run.batch_size, len(run.names)))


def grouped(
    numbers: Sequence[int], pictures: Sequence[Float[np.ndarray, "h w c"] | str], size: int
) -> Group:
    """A group of images of which some may be unreadable.

    Args:
        numbers: of the images.
        pictures: the images, or why there is none.
        size: places of the group.
    """
    skipped = [
        Skipped(number, picture)
        for number, picture in zip(numbers, pictures, strict=True)
        if isinstance(picture, str)
    ]
    places = [place for place, picture in enumerate(pictures) if not isinstance(picture, str)]
    if not places:
        return Group([], np.empty((0, 0, 0, 0), np.float32), [], skipped)
    filler = pictures[places[0]]
    slots = [filler if isinstance(picture, str) else picture for picture in pictures]
    images = np.stack([*slots, *[filler] * (size - len(slots))])
    return Group([numbers[place] for place in places], images, places, skipped)


def explanations_of(
    run: Run, group: Group, decision: Decision, outcomes: Mapping[str, Outcome]
) -> Iterator[Explanation | Skipped]:
    """The explanations of a group's images.

    Args:
        run: the run.
        group: the images.
        decision: for each place.
        outcomes: by method, for each place.
    """
    for number, place in zip(group.numbers, group.places, strict=True):
        logits = np.asarray(decision.logits[place])
        if not np.isfinite(logits).all():
            yield Skipped(number, NO_LOGITS)
            continue
        arrays: dict[str, Any] = {"image": group.images[place]}
        curves = {}
        for name, outcome in outcomes.items():
            arrays[f"picture/{name}"] = outcome.picture[place]
            if outcome.sweep is not None:
                arrays[f"sweep/{name}"] = outcome.sweep.pictures[place]
                curves[name] = {
                    "positions": outcome.sweep.positions[place].tolist(),
                    "probabilities": outcome.sweep.probabilities[place].tolist(),
                }
        scores = {
            name: {score: float(values[place]) for score, values in outcome.scores.items()}
            for name, outcome in outcomes.items()
        }
        yield Explanation(
            number,
            run.names[number],
            run.label(number),
            logits,
            int(decision.target[place]),
            scores,
            arrays,
            curves,
        )


def ahead(
    pool: ThreadPoolExecutor, function: Callable[[In], Out], items: Iterable[In], *, depth: int
) -> Iterator[Out]:
    """The results of a function, in order, computed in threads ahead of their use.

    Args:
        pool: the threads.
        function: item -> result.
        items: taken when there is room.
        depth: how many results may wait or be computed at once.
    """
    waiting: deque[Future[Out]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
