"""APGD beside the attacks of torchattacks (APGD in PyTorch) and of Foolbox on JAX (plain PGD).

ResNet-18 of two classes, each image attacked away from the class that it is given. With two classes
the loss of torchattacks, the cross-entropy of that class, and ours, the log-probability of the
other one, have the same gradients. Random starts differ, so what is compared is the mean
probability of the other class that is reached; Foolbox, which only has PGD with a fixed step, may
stay behind.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.case import Call, Case
from benchmarks.peers.networks import channels_first, images_of, own_network, torch_network

_MODEL = "resnet18"
_RADIUS = 0.5
_TOLERANCE = 0.05
_BASE = {"images": 4, "pixels": 112, "steps": 20}
_GROWTH: tuple[dict[str, int], ...] = ({"images": 1}, {"images": 8}, {"steps": 40})


def cases() -> list[Case]:
    """Both peers; then torchattacks of other sizes."""
    sizes = [(_BASE, True)] + [({**_BASE, **change}, False) for change in _GROWTH]
    return [
        *(_case("torchattacks", _torchattacks, _difference, *size) for size in sizes),
        _case("Foolbox on JAX", _foolbox, _shortfall, _BASE, True),
    ]


def _case(peer: str, make: Any, difference: Any, size: dict[str, int], is_main: bool) -> Case:
    return Case(
        "APGD l2",
        peer,
        size,
        partial(_ours, size),
        partial(make, size),
        difference,
        _TOLERANCE,
        is_main,
    )


def _ours(size: dict[str, int], folder: Path) -> Call:
    import jax

    from cfx_jax.counterfactuals import vce_batch
    from cfx_jax.models import per_image

    classifier = per_image(own_network(folder, _MODEL))
    images = images_of(size["images"], size["pixels"])
    labels = np.asarray(jax.vmap(classifier)(images)).argmax(1)
    options: dict[str, Any] = {"p": 2, "radius": _RADIUS, "num_steps": size["steps"]}
    key = jax.random.key(0)
    return lambda: vce_batch(classifier, images, 1 - labels, key=key, **options).probability


def _torchattacks(size: dict[str, int], folder: Path) -> Call:
    import torch
    from torchattacks import APGD

    network = torch_network(folder, _MODEL)
    images = channels_first(images_of(size["images"], size["pixels"]))
    labels = network(images).argmax(1)
    attack = APGD(network, norm="L2", eps=_RADIUS, steps=size["steps"], n_restarts=1, seed=0)

    def reached() -> np.ndarray:
        with torch.no_grad():
            shares = network(attack(images, labels)).softmax(1)
        return shares.gather(1, 1 - labels[:, None])[:, 0].numpy()

    return reached


def _foolbox(size: dict[str, int], folder: Path) -> Call:
    import eagerpy
    import foolbox
    import jax

    from cfx_jax.models import per_image

    torch_network(folder, _MODEL)  # writes the weights
    logits = jax.jit(jax.vmap(per_image(own_network(folder, _MODEL))))
    images = images_of(size["images"], size["pixels"])
    labels = np.asarray(logits(images)).argmax(1)
    model = foolbox.JAXModel(logits, bounds=(0, 1))
    attack = foolbox.attacks.L2PGD(steps=size["steps"])
    given = eagerpy.astensors(jax.numpy.asarray(images), jax.numpy.asarray(labels))

    def reached() -> np.ndarray:
        _, changed, _ = attack(model, *given, epsilons=_RADIUS)
        shares = np.asarray(jax.nn.softmax(logits(changed.raw)))
        return shares[np.arange(len(labels)), 1 - labels]

    return reached


def _difference(ours: Any, peer: Any) -> float:
    """The difference of the mean probabilities."""
    return abs(float(np.mean(ours) - np.mean(peer)))


def _shortfall(ours: Any, peer: Any) -> float:
    """How far our mean probability is below the peer's, at least 0."""
    return max(float(np.mean(peer) - np.mean(ours)), 0.0)
