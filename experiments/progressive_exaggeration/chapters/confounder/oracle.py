"""The oracle of the confounding metric: a classifier of the confounder, on drawings too.

Deviation: the paper's is trained on real images alone. Such a one may take drawings as such for
images with the confounder, or for images without it, and then measures the drawing. Half of what
this one learns from are drawings of training images for their own bins, by each explainer in turn:
these are to show the same person, so the labels stay. A biased classifier puts more images with the
confounder into some bins than into others, and an oracle could read the bin off a drawing and guess
the rest; so in every bin there are as many drawings with it as without. No test image is among
them.
"""

from collections.abc import Iterator, Sequence

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from cfx_jax.counterfactuals import Exaggerator, class_1_probability, probability_bin
from cfx_jax.parallel import map_examples
from experiments.progressive_exaggeration.data import Data, Part
from experiments.progressive_exaggeration.label_study import (
    ORACLE,
    Explainer,
    LabelStudy,
    Network,
    Subject,
    train_network,
)
from experiments.shared import Arrays, Classifier, ImageSet, StoredImages, row_slices, store_parts

# images of a part, of which the drawings are as many: together 3 GB at 128 x 128 x 3, on disk
_MOST = 8192

Explained = Sequence[tuple[Subject, Explainer]]


def train_oracle(study: LabelStudy, known: Data, explained: Explained) -> Network:
    """Trains a classifier of the confounder on images and drawings, or reads it from the workspace.

    Args:
        study: names the training, which is the second classifier's.
        known: the images with the labels that the oracle learns; the confounder is the explained
            one, and drawings are balanced by it.
        explained: pairs of an explained label and its explainer, which draws.
    """
    train, validation = (
        with_drawings(part, known.explained, explained, study)
        for part in (known.train, known.validation)
    )
    data = known._replace(train=train, validation=validation)
    return train_network(ORACLE, study.setup._replace(data=data))


def with_drawings(part: Part, confounder: int, explained: Explained, study: LabelStudy) -> Part:
    """The first images of a part, and then as many drawings of them; on disk.

    Args:
        part: the images and their labels.
        confounder: position of the label by which drawings are balanced.
        explained: pairs of an explained label and its explainer; the explainers draw in turns.
        study: names the batches and the workspace.
    """
    plain = part.take(np.arange(min(len(part), _MOST)))
    turns = [
        plain.take(np.arange(len(plain))[turn :: len(explained)]) for turn in range(len(explained))
    ]
    drawn = [
        _drawn(turn, confounder, *pair, study) for turn, pair in zip(turns, explained, strict=True)
    ]
    labels = np.concatenate(
        [
            plain.labels,
            *(turn.labels[chosen] for turn, (_, chosen) in zip(turns, drawn, strict=True)),
        ]
    )
    origin = [
        "with drawings",
        plain.images.identity,
        confounder,
        [explainer.identity for _, explainer in explained],
    ]

    def compute(first: int) -> Iterator[Arrays]:
        for images in plain.images.take(np.arange(first, len(plain))).chunks():
            yield {"image": images}
        start = len(plain)
        for images, chosen in drawn:
            for rows in row_slices(len(chosen), images[0].nbytes, first=max(first - start, 0)):
                yield {"image": images[chosen[rows]]}
            start += len(chosen)

    arrays = store_parts(study.setup.workspace, "with drawings", origin, len(labels), compute)
    source = StoredImages({**arrays, "label": labels[:, confounder]}, ("no", "yes"))
    return Part(ImageSet.whole(source, origin), labels)


def _drawn(
    part: Part, confounder: int, subject: Subject, explainer: Explainer, study: LabelStudy
) -> tuple[Float[np.ndarray, "n h w c"], Int[np.ndarray, " m"]]:
    """Drawings of images for their own bins, and positions of as many, balanced by the confounder.

    Where the balance leaves some drawings out, others come again.
    """
    shared, at_once = (
        (explainer.explain, subject.classifier),
        study.setup.config.batch_size * explainer.explain.num_bins,
    )

    def compute(first: int) -> Iterator[Arrays]:
        for pixels in part.images.take(np.arange(first, len(part))).chunks():
            images, bins = map_examples(_own_bin, shared, pixels, batch_size=at_once)
            yield {"image": np.clip(images, 0, 1), "bin": bins}

    depends = [explainer.identity, part.images.identity]
    drawn = store_parts(study.setup.workspace, "drawings", depends, len(part), compute)
    chosen = balanced(np.array(drawn["bin"]), part.labels[:, confounder] == 1)
    return drawn["image"], np.resize(chosen, len(part)) if len(chosen) else chosen


def balanced(bins: Int[np.ndarray, " n"], has: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """Positions of as many images with the confounder as without, in every bin, in their order.

    The first ones of either kind are taken.
    """
    chosen = np.zeros(len(bins), bool)
    for bin in np.unique(bins):
        kinds = [np.flatnonzero((bins == bin) & (has == kind)) for kind in (False, True)]
        for kind in kinds:
            chosen[kind[: min(map(len, kinds))]] = True
    return np.flatnonzero(chosen)


def _own_bin(
    shared: tuple[Exaggerator, Classifier], image: Float[jax.Array, "h w c"]
) -> tuple[Float[jax.Array, "h w c"], Int[jax.Array, ""]]:
    explainer, classifier = shared
    bin = probability_bin(class_1_probability(classifier, image), num_bins=explainer.num_bins)
    return explainer.decode(explainer.encode(image, bin), bin), bin
