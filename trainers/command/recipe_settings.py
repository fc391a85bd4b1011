"""The settings with which ``cfx train`` trains generators: an hour, where the papers' take days.

They are meant for a user's own images of about 64 to 128 pixels. All numbers are ours, chosen by
what the experiments' demonstrations reach on validation images. The generators add their output to
the image, so that no step is spent on learning to copy it. The losses of the classifier's decision
weigh more than in the papers, with whose weights so few steps teach nothing. The papers' settings
are the defaults of each trainer's ``Config``.
"""

from dataclasses import replace

from cfx_jax.losses import CYCE, SYCE, CycleWeights, ProgressiveWeights, SimilarAdversarialWeights

from .. import cycle, progressive, similar_adversarial
from ..shared import PlateauSettings, with_run

_RATE = 7e-4
_FILTERS = (8, 16, 32, 64)
_SCHEDULE = {"evaluate_every": 200, "checkpoint_every": 200, "log_every": 25}

SAGEN_SETTINGS = with_run(
    similar_adversarial.Config(
        filters=_FILTERS,
        head_filters=(16, 8),
        residual=True,
        weights=SimilarAdversarialWeights(similar_class=0.3, adversarial_class=0.3),  # paper: 1e-3
        proximity="mean_square",
        optimiser=PlateauSettings(_RATE, factor=1 / 3, patience=3, smallest=_RATE / 10),
        balanced=True,
    ),
    num_steps=1600,
    batch_size=8,
    steps_per_epoch=100,  # whose mean losses decide when the learning rate falls
    **_SCHEDULE,
)


def _cycle(released: cycle.Config, weights: CycleWeights, num_steps: int) -> cycle.Config:
    config = replace(
        released,
        weights=weights,
        update="together",
        filters=_FILTERS,
        discriminator_filters=(16, 32, 64),
        residual=True,
        optimiser=PlateauSettings(_RATE, patience=2, smallest=_RATE / 10),
        select="answers",
    )
    return with_run(config, num_steps=num_steps, batch_size=8, **_SCHEDULE)


SYCE_SETTINGS = _cycle(
    cycle.Config(), replace(SYCE, adversarial_class=0.5, symmetric_class=0.2), 1600
)
CYCE_SETTINGS = _cycle(cycle.CYCE_CONFIG, replace(CYCE, adversarial_class=0.5), 1600)

PROGRESSIVE_SETTINGS = with_run(
    progressive.Config(
        filters=(24, 48),
        discriminator_filters=(8, 16, 32, 64),
        stem_activation=False,  # a ReLU there takes dark pixels away
        weights=ProgressiveWeights(adversarial=0.1, reconstruction=2.0, cycle=2.0),
        critic_steps=1,
        learning_rate=2e-3,
        anneal=True,
        first_moment=0.5,
        select="score",
    ),
    num_steps=1600,
    batch_size=16,
    **_SCHEDULE,
)
