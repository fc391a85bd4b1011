"""The published searches for visual counterfactuals in PyTorch: what ours are compared with.

Auto-PGD in l2 and linf (Croce and Hein 2020) and Auto-Frank-Wolfe (Boreiko et al. 2022), of a
batch, with the oracle of Auto-Frank-Wolfe that sorts the pixels by where they reach the box. They
start at the images, as ours do without a key; restarts, averages over samples and masks are left
out. The first step of a search counts as improving where it improves on the start.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

_MOMENTUM, _FIRST_STEP, _SHARE = 0.75, 0.75, 0.75
_SMALLEST = 1e-22  # floor of divisors, as in the released code for float32


class Found(NamedTuple):
    """The best images (b, c, h, w), and the log-probability of each iterate (num_steps + 1, b)."""

    images: Tensor
    trace: Tensor


def search(
    network: Any, images: Tensor, targets: Tensor, *, p: float, radius: float, num_steps: int
) -> Found:
    """Raises the log-probability of the targets within an lp ball and the box [0, 1].

    Args:
        network: images (b, c, h, w) -> logits (b, k).
        images: values in [0, 1].
        targets: a class for each image.
        p: 2 or inf for Auto-PGD, another norm above 1 for Auto-Frank-Wolfe.
        radius: of the ball.
        num_steps: each needs one value and gradient; one more is that of the start.
    """
    move, step = _mover(images, p, radius)
    value, gradient = value_and_gradient(network, images, targets)
    x, before = images, images
    best, best_gradient, highest = images, gradient, value
    schedule = _Schedule(num_steps, torch.full_like(value, step), highest)
    trace = [value]
    for number in range(num_steps):
        moved = move(x, before, gradient, _over_pixels(schedule.step), number == 0)
        x, before = moved, x
        previous, (value, gradient) = value, value_and_gradient(network, x, targets)
        better = value > highest
        best = torch.where(_over_pixels(better), x, best)
        best_gradient = torch.where(_over_pixels(better), gradient, best_gradient)
        highest = torch.maximum(value, highest)
        trace.append(value)
        restart = schedule.look(value > previous, highest)
        if restart is not None:
            x = torch.where(_over_pixels(restart), best, x)
            gradient = torch.where(_over_pixels(restart), best_gradient, gradient)
    return Found(best, torch.stack(trace))


def value_and_gradient(network: Any, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The log-probabilities of the targets (b,), and their gradients (b, c, h, w)."""
    inputs = images.detach().requires_grad_()
    logits = torch.log_softmax(network(inputs), 1)
    values = logits.gather(1, targets[:, None])[:, 0]
    (gradient,) = torch.autograd.grad(values.sum(), inputs)
    return values.detach(), gradient


@dataclass
class _Schedule:
    """The step sizes of a batch, (b,), halved at the published checkpoints."""

    num_steps: int
    step: Tensor
    highest_at_check: Tensor

    def __post_init__(self) -> None:
        self._period = max(int(0.22 * self.num_steps), 1)
        self._since_check = 0
        self._num_improved = torch.zeros_like(self.step)
        self._was_reduced = torch.ones_like(self.step, dtype=torch.bool)

    def look(self, improved: Tensor, highest: Tensor) -> Tensor | None:
        """Notes a step; at a checkpoint, which images go back to their best point."""
        self._since_check += 1
        self._num_improved += improved
        if self._since_check < self._period:
            return None
        oscillates = self._num_improved <= _SHARE * self._period
        stagnates = ~self._was_reduced & (highest <= self.highest_at_check)
        reduced = oscillates | stagnates
        self.step = torch.where(reduced, self.step / 2, self.step)
        self._was_reduced, self.highest_at_check = reduced, highest
        self._num_improved, self._since_check = torch.zeros_like(self.step), 0
        shrink, shortest = max(int(0.03 * self.num_steps), 1), max(int(0.06 * self.num_steps), 1)
        self._period = max(self._period - shrink, shortest)
        return reduced


Move = Callable[[Tensor, Tensor, Tensor, Tensor, bool], Tensor]
"""(iterate, the one before, gradient, step sizes (b, 1, 1, 1), whether it is the first step) ->
the next iterate."""


def _mover(center: Tensor, p: float, radius: float) -> tuple[Move, float]:
    """How a search moves, and its first step."""

    def project(x: Tensor) -> Tensor:
        change = x - center
        if math.isinf(p):
            return (center + change.clamp(-radius, radius)).clamp(0, 1)
        norms = _norms(change)
        return (center + change * norms.clamp(max=radius) / (norms + 1e-12)).clamp(0, 1)

    def projected(x: Tensor, before: Tensor, gradient: Tensor, step: Tensor, first: bool) -> Tensor:
        unit = gradient.sign() if math.isinf(p) else gradient / (_norms(gradient) + 1e-12)
        weight = 1.0 if first else _MOMENTUM
        ahead = project(x + step * unit)
        return project(x + weight * (ahead - x) + (1 - weight) * (x - before))

    def frank_wolfe(x: Tensor, before: Tensor, gradient: Tensor, step: Tensor, _: bool) -> Tensor:
        del before
        return x + step * (center + best_change(gradient, center, p=p, radius=radius) - x)

    if p in (2, math.inf):
        return projected, 2 * radius
    return frank_wolfe, _FIRST_STEP


def best_change(gradient: Tensor, center: Tensor, *, p: float, radius: float) -> Tensor:
    """The change of largest product with the gradient, in the lp ball and the box, for each image.

    The published oracle: pixels are sorted by the multiplier from which on they reach the box, and
    a bisection over their order finds how many do. Gradients are scaled by their largest entry
    first; without that small ones underflow.
    """
    shape, gradient = gradient.shape, gradient.flatten(1)
    room = torch.where(gradient > 0, 1 - center.flatten(1), center.flatten(1))
    size = gradient.abs()
    size = size / size.amax(1, keepdim=True).clamp_min(_SMALLEST)
    room = torch.where(size > 0, room, 0).clamp_min(1e-10)
    q, budget = p / (p - 1), radius**p
    breaks, order = (size / (p * room ** (p - 1))).sort(1)
    room_powers = (room**p).gather(1, order)
    room_left = room_powers.sum(1, keepdim=True) - room_powers.cumsum(1)
    weights = (size**q).gather(1, order).cumsum(1)
    excess = room_left + weights / (p * breaks).pow(q).clamp_min(_SMALLEST) - budget
    # The excess falls along the order: the last pixel where it is positive is the last free one.
    last = (torch.searchsorted(-excess, torch.zeros_like(excess[:, :1])) - 1).clamp_min(0)
    left = (budget - room_left.gather(1, last)).clamp_min(_SMALLEST)
    multiplier = (weights.gather(1, last) / left) ** (1 / p)
    change = torch.minimum(room, size ** (1 / (p - 1)) / multiplier)
    inside = room_powers.sum(1, keepdim=True) <= budget
    return (gradient.sign() * torch.where(inside, room, change)).reshape(shape)


def _over_pixels(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _norms(x: Tensor) -> Tensor:
    return _over_pixels(x.flatten(1).norm(dim=1))
