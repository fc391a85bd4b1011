"""The quality filter: several EfficientNets learn which photographs can be graded, and leave out
those that cannot.

As in the paper, which trained an ensemble of EfficientNets on the ISBI 2020 challenge's quality
labels and reports its accuracy there (87.50 %). Here the labelled images are split by patient where
patients are known.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.data import split
from cfx_jax.diagnosis import check_diagnosis
from cfx_jax.models import ensemble, per_image
from cfx_jax.objectives import Classifier
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.intervals import balanced_interval
from experiments.fundus_vce.sources import Sources
from experiments.shared.image_set import ImageSet, decisions, predict
from experiments.shared.normalisation import fit_to_images
from experiments.shared.notices import notify
from experiments.shared.stages import Workspace
from trainers import classifier, train, weights_digest, with_run

_USELESS = ": it is no better than chance on held-out images and was not applied"
_SHARES = {"train": 0.65, "validation": 0.15, "test": 0.2}


class Quality(NamedTuple):
    """What the filter did.

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
    """Trains the filter, measures it, and applies it; None where there are no images with a known
    quality.
    """
    labelled, everything = sources.quality, sources.main
    if labelled is None or not config.quality.num_members:
        return None
    positions = split(labelled.labels, _SHARES, seed=config.seed, groups=labelled.groups)
    parts = {name: labelled.take(items) for name, items in positions.items()}
    members, networks = _train(config, parts, workspace)

    def compute() -> dict[str, np.ndarray]:
        return {
            "kept": np.flatnonzero(
                decisions(predict(ensemble(members), everything, progress="quality"))
            ),
            "single": np.stack([_correct(each, parts["test"]) for each in members]),
            "correct": _correct(ensemble(members), parts["test"]),
        }

    found, truth = (
        workspace.cached("quality", [networks, everything.identity], compute),
        parts["test"].labels,
    )
    groups = parts["test"].groups
    useful = is_useful(found["correct"], truth, groups)
    kept = found["kept"] if useful else everything.indices
    said = f"quality filter: {len(kept)} of {len(everything)} images kept"
    if useful:
        print(said, flush=True)
    else:
        notify(said + _USELESS)
    return Quality(kept, useful, found["correct"], truth, found["single"], groups)


def is_useful(
    correct: Bool[np.ndarray, " n"], label: Int[np.ndarray, " n"], groups: np.ndarray | None
) -> bool:
    """Whether the interval of a filter's balanced accuracy on held-out images lies above one half,
    which is chance.
    """
    return balanced_interval(correct, label, groups).low > 0.5


def _train(
    config: Config, parts: dict[str, ImageSet], workspace: Workspace
) -> tuple[list[Classifier], object]:
    settings = fit_to_images(config.quality.training, parts["train"], workspace)
    identity = [
        settings,
        weights_digest(settings.weights),
        *(part.identity for part in parts.values()),
    ]
    members: list[Classifier] = []
    for number in range(config.quality.num_members):
        chosen = with_run(settings, seed=settings.run.seed + number)
        folder = workspace.folder("quality-network", [identity, number])
        print(f"quality network {number + 1}: {chosen.run.num_steps} steps in {folder}", flush=True)
        validation = parts["validation"].arrays
        images = parts["train"].source, parts["train"].indices, validation
        model = train(classifier.TRAINER, chosen, *images, folder)
        check_diagnosis(per_image(model), validation["image"][:4], show=notify)
        members.append(per_image(model))
    return members, [identity, len(members)]


def _correct(network: Classifier, images: ImageSet) -> Float[np.ndarray, " n"]:
    return decisions(predict(network, images)) == images.labels
