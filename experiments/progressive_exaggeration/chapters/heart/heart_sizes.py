"""How large the hearts of radiographs and of their explanations are.

Singla et al. 2020 (section 4.2) segment the hearts of real radiographs by a UNet, register each
radiograph to its explanation and move its mask along. Here explanations are segmented themselves as
well, so that either way checks the other. Both are applied to the queries' true counterfactuals
too, whose hearts are known.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from cfx_jax.image_registration import register, warp
from cfx_jax.metrics import dice
from cfx_jax.models import per_image
from cfx_jax.parallel import apply_to_examples, map_examples, progress_bar
from experiments.progressive_exaggeration.chapters.heart.organ_masks import (
    ORGANS,
    classes_of,
    organs_of,
    true_organs,
)
from experiments.progressive_exaggeration.label_study import Subject, Sweeps
from experiments.shared import Arrays, ImageSet, run_training, store_parts
from trainers import segmentation

SEGMENTED, REGISTERED = "segmented", "registered"
WAYS = (SEGMENTED, REGISTERED)

_BATCH = 64


class Hearts(NamedTuple):
    """The organs of all images, each with a last axis for lungs and heart.

    Attributes:
        dice: the Dice score of the segmentation of each test image with its true masks (m, 2).
        queries: segmented.
        explanations: the masks of the explanations by each way: one for each bin, and last the true
            counterfactual (n, k + 1, h, w, 2).
        identity: what all masks depend on.
    """

    dice: Float[np.ndarray, "m 2"]
    queries: Bool[np.ndarray, "n h w 2"]
    explanations: Mapping[str, Bool[np.ndarray, "n k h w 2"]]
    identity: object


def find_hearts(settings: segmentation.Config, subject: Subject, sweeps: Sweeps) -> Hearts:
    """Trains a segmentation, or reads it from the workspace, and finds the organs of every image.

    Args:
        settings: the settings of the training; classes and channels are set by the images.
        subject: the explained label, on images with masks of heart and lungs.
        sweeps: the explanations.
    """
    queries, (_, data, workspace) = subject.queries, subject.setup
    settings = dataclasses.replace(
        settings, num_classes=1 + len(ORGANS), in_channels=data.validation.images.shape[-1]
    )
    trained = [settings, data.train.images.identity, data.validation.images.identity]
    identity = [trained, data.test.images.identity, sweeps.identity]
    model = _train(settings, subject, trained)

    def segmented() -> Arrays:
        tested, truth = _organs(model, data.test.pixels), true_organs(data.test.images)
        return {
            "dice": np.stack(
                [dice(tested[..., organ], truth[..., organ]) for organ in range(len(ORGANS))],
                axis=-1,
            ),
            "queries": np.concatenate([_organs(model, pixels) for pixels in queries.chunks()]),
        }

    def explanations_segmented(first: int) -> Iterator[Arrays]:
        for _, images in _images(sweeps, queries, "segmentation", first):
            organs = _organs(model, images.reshape(-1, *images.shape[2:]))
            yield {"explanations": organs.reshape(*images.shape[:4], len(ORGANS))}

    def explanations_registered(first: int) -> Iterator[Arrays]:
        for rows, images in _images(sweeps, queries, "registration", first):
            yield {
                "explanations": move(queries.read(rows), stored_queries["queries"][rows], images)
            }

    stored_queries = workspace.cached("hearts of queries", identity, segmented)
    ways = {SEGMENTED: explanations_segmented, REGISTERED: explanations_registered}
    explanations = {
        way: store_parts(workspace, f"hearts {way}", identity, len(queries), compute)[
            "explanations"
        ]
        for way, compute in ways.items()
    }
    return Hearts(stored_queries["dice"], stored_queries["queries"], explanations, identity)


def _images(
    sweeps: Sweeps, queries: ImageSet, stage: str, first: int
) -> Iterator[tuple[slice, Float[np.ndarray, "m k h w c"]]]:
    """Yields rows from one on, with the explanations and last the true counterfactuals."""
    with progress_bar(len(queries) - first, stage) as bar:
        for rows in sweeps.parts(first):
            explanations = np.clip(sweeps.series.images[rows], 0, 1)
            counterfactuals = queries.read(rows, field="counterfactual")
            yield rows, np.concatenate([explanations, counterfactuals[:, None]], axis=1)
            bar.update(rows.stop - rows.start)


def move(
    queries: Float[np.ndarray, "n h w c"],
    organs: Bool[np.ndarray, "n h w 2"],
    images: Float[np.ndarray, "n k h w c"],
) -> Bool[np.ndarray, "n k h w 2"]:
    """Registers each query to its images and moves its organs along.

    Args:
        queries: the images that are explained, values in [0, 1].
        organs: the organs of the queries.
        images: the image of each query, in [0, 1].
    """
    number = images.shape[1]
    examples = (
        np.repeat(queries, number, 0),
        np.repeat(organs, number, 0),
        images.reshape(-1, *images.shape[2:]),
    )
    moved = map_examples(_moved, (), examples, batch_size=_BATCH)
    return moved.reshape(*images.shape[:2], *organs.shape[1:])


def _train(settings: segmentation.Config, subject: Subject, identity: object) -> Any:
    _, data, workspace = subject.setup
    return run_training(
        f"segmentation of {' and '.join(ORGANS)}",
        segmentation.TRAINER,
        settings,
        data.train.images.source,
        data.train.images.indices,
        {"image": data.validation.pixels, "mask": classes_of(data.validation.images.arrays)},
        workspace.folder("segmentation", identity),
        targets=classes_of(data.train.images.arrays),
    )


def _organs(model: nnx.Module, images: Float[np.ndarray, "n h w c"]) -> Bool[np.ndarray, "n h w 2"]:
    logits = apply_to_examples(per_image(model), images, batch_size=_BATCH)
    return organs_of(logits.argmax(axis=-1))


def _moved(_: Any, example: tuple[jax.Array, jax.Array, jax.Array]) -> Bool[Array, "h w 2"]:
    query, organs, image = example
    return warp(organs, register(query, image))
