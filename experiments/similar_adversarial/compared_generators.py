"""The generators that the paper's tables compare, by name, and how each is trained."""

import dataclasses

from cfx_jax.losses import PUBLISHED_WEIGHTS
from trainers import similar_adversarial as pair_trainer
from trainers import with_run

NAIVE = "Adv. AE (TV)"
"""The adversarial generator alone, the naive formulation."""
DUO_TV, DUO = "Duo AE (TV)", "Duo AE (W,TV)"
"""Two networks, without and with weights drawn together."""
AE1_TV, AE1_W, AE1 = "Single AE1 (TV)", "Single AE1 (W)", "Single AE1 (W,TV)"
"""One network with two heads of one layer: TV, with total variation; W, weights drawn together."""
AE2_W, OURS = "Single AE2 (W)", "Single AE2 (W,TV)"
"""One network with two heads of two layers. The last is the paper's best, compared with others."""
NAMES = (NAIVE, *PUBLISHED_WEIGHTS)
"""Every row, in the order of the paper's tables."""


def row_settings(
    name: str, base: pair_trainer.Config, *, duo_batch_size: int
) -> pair_trainer.Config:
    """The training of one row; every row sees as many images.

    Args:
        name: one of ``NAMES``.
        base: the training of Single AE2 (W,TV); its class weights hold for every row.
        duo_batch_size: images of one step of the Duo generators, whose numbers of steps are in
            inverse proportion.

    Returns:
        The same with the row's generator, heads and weights; the naive one takes the weights of
        ``base`` that it uses.
    """
    if name == NAIVE:
        return dataclasses.replace(base, generator="naive")
    names = ("similar_class", "adversarial_class")
    classes = {name: getattr(base.weights, name) for name in names}
    weights = dataclasses.replace(PUBLISHED_WEIGHTS[name], **classes)
    if name.startswith("Duo"):
        return dataclasses.replace(
            _in_batches(base, duo_batch_size), generator="duo", weights=weights
        )
    heads = base.head_filters[:1] if "AE1" in name else base.head_filters
    return dataclasses.replace(base, generator="single", weights=weights, head_filters=heads)


def _in_batches(base: pair_trainer.Config, batch_size: int) -> pair_trainer.Config:
    """A training that sees the same images in batches of another size; 0 steps stay 0."""
    run = base.run

    def steps(count: int) -> int:
        return round(count * run.batch_size / batch_size)

    return with_run(
        base,
        batch_size=batch_size,
        num_steps=steps(run.num_steps),
        steps_per_epoch=steps(run.steps_per_epoch),
        evaluate_every=steps(run.evaluate_every),
        checkpoint_every=steps(run.checkpoint_every),
    )
