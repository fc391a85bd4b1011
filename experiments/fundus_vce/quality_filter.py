"""The quality filter, several networks that learn which photographs can be graded.

As in the paper, which trained an ensemble of EfficientNets on the ISBI 2020 challenge's quality
labels and reports its accuracy there (87.50 %). Here the labelled images are split by patient where
patients are known.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.data import split
from cfx_jax.models import ensemble, per_image
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Sources
from experiments.shared import (
    Arrays,
    Classifier,
    ImageSet,
    Workspace,
    balanced_interval,
    decisions,
    fit_to_images,
    notify,
    predict,
    train_network,
)
from trainers import classifier, weights_digest, with_run

_USELESS = ": it is no better than chance on held-out images and was not applied"
_SHARES = {"train": 0.65, "validation": 0.15, "test": 0.2}


class Quality(NamedTuple):
    """The images that the filter keeps, and how often it is right.

    Attributes:
        kept: positions of the images of the main source that can be graded; all of them where the
            filter is not useful.
        useful: whether it is better than chance on the held-out images; one that is not is not
            applied.
        correct: on the held-out labelled images, whether the ensemble is right.
        label: their true quality, 1 for gradable.
        single: whether each single network is right, (members, n).
        groups: which of these images are drawn together; or None.
    """

    kept: Int[np.ndarray, " m"]
    useful: bool
    correct: np.ndarray
    label: np.ndarray
    single: np.ndarray
    groups: np.ndarray | None = None


def filter_gradable(config: Config, sources: Sources, workspace: Workspace) -> Quality | None:
    """Trains the filter, measures it, and applies it; None without images of known quality."""
    labelled, photographs = sources.quality, sources.main
    if labelled is None or not config.quality.num_members:
        return None
    positions = split(labelled.labels, _SHARES, seed=config.seed, groups=labelled.groups)
    parts = {name: labelled.take(items) for name, items in positions.items()}
    members, networks = _train(config, parts, workspace)
    joined, test = ensemble(members), parts["test"]

    def compute() -> Arrays:
        return {
            "kept": np.flatnonzero(decisions(predict(joined, photographs, progress="quality"))),
            "single": np.stack([_correct(member, test) for member in members]),
            "correct": _correct(joined, test),
        }

    answers = workspace.cached("quality", [networks, photographs.identity], compute)
    useful = is_useful(answers["correct"], test.labels, test.groups)
    kept = answers["kept"] if useful else photographs.indices
    message = f"quality filter: {len(kept)} of {len(photographs)} images kept"
    if useful:
        print(message, flush=True)
    else:
        notify(message + _USELESS)
    return Quality(kept, useful, answers["correct"], test.labels, answers["single"], test.groups)


def is_useful(
    correct: Bool[np.ndarray, " n"], label: Int[np.ndarray, " n"], groups: np.ndarray | None
) -> bool:
    """Whether the interval of a filter's balanced accuracy lies above one half, which is chance."""
    return balanced_interval(correct, label, groups).low > 0.5


def _train(
    config: Config, parts: dict[str, ImageSet], workspace: Workspace
) -> tuple[list[Classifier], object]:
    """The networks of the filter, and what their weights depend on."""
    train = parts["train"]
    settings = fit_to_images(config.quality.training, train, workspace)
    identity = [settings, weights_digest(settings.weights)]
    identity += [part.identity for part in parts.values()]
    members: list[Classifier] = []
    for number in range(config.quality.num_members):
        chosen = with_run(settings, seed=settings.run.seed + number)
        folder = workspace.folder("quality-network", [identity, number])
        name = f"quality network {number + 1}"
        model = train_network(name, classifier.TRAINER, chosen, train, parts["validation"], folder)
        members.append(per_image(model))
    return members, [identity, len(members)]


def _correct(network: Classifier, images: ImageSet) -> Float[np.ndarray, " n"]:
    """Whether a network is right about each image."""
    return decisions(predict(network, images)) == images.labels
