"""The oracle of the confounding metric: a classifier that says which images show the confounder, drawings too.

Deviation: the paper's is trained on real images alone. Such a one may take drawings as such for images with the confounder,
or for images without it, and then measures the drawing. Half of what this one learns from are drawings of training images
for their own bins, by each explainer in turn: these are to show the same person, so the labels stay. A biased classifier
puts more images with the confounder into some bins than into others, and an oracle could read the bin off a drawing and
guess the rest; so in every bin there are as many drawings with it as without. No test image is among them.
"""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.counterfactuals import Exaggerator, probability_bin
from cfx_jax.counterfactuals.progressive import class_1_probability
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import map_examples
from experiments.image_set import ImageSet, StoredImages
from experiments.progressive_exaggeration.images import Part
from experiments.progressive_exaggeration.network import ORACLE, Network, train_network
from experiments.progressive_exaggeration.study import Study
from experiments.progressive_exaggeration.subject import Subject
from experiments.progressive_exaggeration.sweeps import Explainer
from experiments.stages import Arrays

_MOST = 8192  # images of a part, of which the drawings are as many: together 3 GB at 128 x 128 x 3

Explained = Sequence[tuple[Subject, Explainer]]


def train_oracle(study: Study, confounder: int, explained: Explained) -> Network:
    """Trains a classifier of all labels on images and drawings, or reads it from the workspace.

    Args:
        study: names the images, and the training, which is the second classifier's.
        confounder: position of the label that drawings are balanced by.
        explained: whose explainers draw.
    """
    train, validation = (
        with_drawings(each, confounder, explained, study) for each in (study.data.train, study.data.validation)
    )
    data = study.data._replace(train=train, validation=validation)
    return train_network(ORACLE, study.config, data, study.workspace)


def with_drawings(part: Part, confounder: int, explained: Explained, study: Study) -> Part:
    """The images of a part, and then as many drawings of them."""
    plain = part.take(np.arange(min(len(part), _MOST)))
    drawn = [
        _drawn(plain.take(np.arange(len(plain))[turn :: len(explained)]), confounder, *each, study)
        for turn, each in enumerate(explained)
    ]
    images = np.concatenate([plain.pixels, *(images for images, _ in drawn)])
    labels = np.concatenate([plain.labels, *(labels for _, labels in drawn)])
    source = StoredImages({"image": images, "label": labels[:, study.data.explained]}, plain.images.class_names)
    origin = ["with drawings", plain.images.identity, confounder, [explainer.identity for _, explainer in explained]]
    return Part(ImageSet.whole(source, origin), labels)


def _drawn(
    part: Part, confounder: int, subject: Subject, explainer: Explainer, study: Study
) -> tuple[Float[np.ndarray, "n h w c"], Int[np.ndarray, "n k"]]:
    """Balanced drawings of images for their own bins, and the labels; where that leaves some out, others come again."""

    def compute() -> Arrays:
        shared, at_once = (explainer.explain, subject.classifier), study.config.batch_size * explainer.explain.num_bins
        images, bins = map_examples(_own_bin, shared, part.pixels, batch_size=at_once, progress="drawings")
        return {"image": np.clip(images, 0, 1), "bin": bins}

    drawn = study.workspace.cached("drawings", [explainer.identity, part.images.identity], compute)
    chosen = balanced(drawn["bin"], part.labels[:, confounder] == 1)
    chosen = np.resize(chosen, len(part)) if len(chosen) else chosen
    return drawn["image"][chosen], part.labels[chosen]


def balanced(bins: Int[np.ndarray, " n"], has: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """Positions, in their order, of as many images with the confounder as without in every bin: the first ones of either."""
    chosen = np.zeros(len(bins), bool)
    for each in np.unique(bins):
        kinds = [np.flatnonzero((bins == each) & (has == kind)) for kind in (False, True)]
        for kind in kinds:
            chosen[kind[: min(map(len, kinds))]] = True
    return np.flatnonzero(chosen)


def _own_bin(
    shared: tuple[Exaggerator, Classifier], image: Float[jax.Array, "h w c"]
) -> tuple[Float[jax.Array, "h w c"], Int[jax.Array, ""]]:
    explainer, classifier = shared
    own = probability_bin(class_1_probability(classifier, image), num_bins=explainer.num_bins)
    return explainer.decode(explainer.encode(image, own), own), own
