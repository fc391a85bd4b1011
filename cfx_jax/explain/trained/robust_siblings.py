"""A robust sibling of a classifier: the same network with weights that were trained further.

Counterfactuals of a network that was not trained to be robust are mostly noise. Those of an
ensemble of it with a robust sibling are not, and the ensemble decides almost as the network does
(Boreiko et al. 2022, section 2). A folder holds the sibling's weights alone; the network itself
comes from the user's model.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from cfx_jax.adapters import trainable
from cfx_jax.explain.trained.fingerprints import Fingerprint, check_same_model, take_fingerprint
from cfx_jax.explain.trained.storage import check_facts, read_trained, write_trained
from cfx_jax.models import calibrated, ensemble
from cfx_jax.objectives import Classifier

_NAME = "sibling"


@dataclass(frozen=True, eq=False)
class Sibling:
    """The weights of a robust sibling, and what must be known to use them.

    Attributes:
        parameters: by the names of ``adapters.trainable``.
        shape: of the images, (h, w, c).
        model: what the classifier was called.
        temperatures: that calibrate the classifier and the sibling.
        fingerprint: of the classifier.
        training: how it was trained, by name, for a reader.
    """

    parameters: Mapping[str, Float[np.ndarray, "..."]]
    shape: tuple[int, int, int]
    model: str
    temperatures: tuple[float, float]
    fingerprint: Fingerprint
    training: Mapping[str, Any] = field(default_factory=dict)


def make_sibling(
    parameters: Mapping[str, Any],
    classifier: Classifier,
    *,
    shape: tuple[int, int, int],
    model: str,
    temperatures: tuple[float, float] = (1.0, 1.0),
    training: Mapping[str, Any],
) -> Sibling:
    """A sibling with the fingerprint of its classifier.

    Args:
        parameters, shape, model, temperatures, training: as ``Sibling`` has them.
        classifier: one image -> logits, whose weights were trained further.
    """
    arrays = {name: np.asarray(values) for name, values in parameters.items()}
    fingerprint = take_fingerprint(classifier, shape)
    return Sibling(arrays, shape, model, temperatures, fingerprint, training)


def save_sibling(folder: str | os.PathLike[str], sibling: Sibling) -> Path:
    """Keeps a sibling in a folder, for ``load_sibling``.

    Args:
        folder: made where it is missing; other files in it stay.
        sibling: the sibling.

    Returns:
        The folder.

    Raises:
        InputError: the folder cannot be written.
    """
    names, arrays = list(sibling.parameters), dict[str, Any](sibling.fingerprint._asdict())
    arrays |= {f"parameter {place}": sibling.parameters[name] for place, name in enumerate(names)}
    facts = {
        "parameters": names,
        "shape": sibling.shape,
        "model": sibling.model,
        "temperatures": sibling.temperatures,
        "training": sibling.training,
    }
    return write_trained(folder, _NAME, facts=facts, arrays=arrays)


def load_sibling(folder: str | os.PathLike[str]) -> Sibling:
    """Reads what ``save_sibling`` kept.

    Args:
        folder: the folder, such as the ``--out`` of ``cfx train trades``.

    Raises:
        InputError: no sibling there, a training that is not finished, or damaged files.
    """
    with read_trained(folder, _NAME, made_by="cfx train trades") as (facts, arrays):
        check_facts(facts, texts=["parameters"], numbers=["temperatures"])
        names = facts["parameters"]
        return Sibling(
            {name: arrays[f"parameter {place}"] for place, name in enumerate(names)},
            tuple(facts["shape"]),
            facts["model"],
            tuple(facts["temperatures"]),
            Fingerprint(arrays["probes"], arrays["logits"]),
            facts["training"],
        )


def sibling_of(sibling: Sibling, classifier: Classifier) -> Classifier:
    """The robust sibling itself, as a classifier.

    Args:
        sibling: its weights.
        classifier: the one whose sibling it is.

    Raises:
        InputError: another classifier.
    """
    check_same_model(
        sibling.fingerprint,
        classifier,
        what=f"sibling: it is one of another model, {sibling.model}",
    )
    return trainable(classifier).rebuild(sibling.parameters)


def with_sibling(sibling: Sibling, classifier: Classifier) -> Classifier:
    """The ensemble of a classifier and its robust sibling, each calibrated.

    Args:
        sibling: its weights.
        classifier: the one whose sibling it is.

    Returns:
        The classifier whose probabilities are the mean of the two, a pytree.

    Raises:
        InputError: another classifier.
    """
    robust = sibling_of(sibling, classifier)
    own, other = sibling.temperatures
    return ensemble([calibrated(classifier, own), calibrated(robust, other)])
