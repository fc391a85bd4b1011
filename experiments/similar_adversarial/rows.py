"""The generators that the paper's tables compare, by name, and how each is trained."""

import dataclasses

from cfx_jax.losses.similar_adversarial import PUBLISHED_WEIGHTS
from trainers.similar_adversarial import Config as TrainerConfig

NAIVE = "Adv. AE (TV)"
"""The adversarial generator alone, the naive formulation."""
OURS = "Single AE2 (W,TV)"
"""The paper's best, and the one compared with other methods."""
NAMES = (NAIVE, *PUBLISHED_WEIGHTS)
"""Every row, in the order of the paper's tables."""


def settings_of(name: str, base: TrainerConfig, *, duo_batch_size: int) -> TrainerConfig:
    """The training of one row.

    Args:
        name: of ``NAMES``.
        base: the training of Single AE2 (W,TV); its class weights hold for every row.
        duo_batch_size: images of one step of the Duo generators.

    Returns:
        The same with the row's generator, heads and weights; the naive one takes the weights of ``base`` that it uses.
    """
    if name == NAIVE:
        return dataclasses.replace(base, generator="naive")
    classes = {each: getattr(base.weights, each) for each in ("similar_class", "adversarial_class")}
    weights = dataclasses.replace(PUBLISHED_WEIGHTS[name], **classes)
    if name.startswith("Duo"):
        return dataclasses.replace(base, generator="duo", weights=weights, batch_size=duo_batch_size)
    heads = base.head_filters[:1] if "AE1" in name else base.head_filters
    return dataclasses.replace(base, generator="single", weights=weights, head_filters=heads)
