"""The experiment's presets: what both of Charachon's experiments share, and what this one adds.

Places of published numbers are as in ``experiments.charachon_shared.presets``.
"""

from experiments.charachon_shared import presets
from experiments.similar_adversarial.compared_generators import AE1, DUO, NAIVE, NAMES, OURS
from experiments.similar_adversarial.config import Config

SMOKE = presets.extend(
    Config,
    presets.SMOKE,
    generators=(NAIVE, DUO, AE1, OURS),
    duo_batch_size=4,
    num_samples=3,
    num_perceptual_steps=3,
    num_averaged=2,
    num_explained=8,
    num_shown=2,
)

_DEMO = {
    "duo_batch_size": 8,
    "num_nodes": 25,
    "num_samples": 25,
    "num_perceptual_steps": 100,
    "num_explained": 96,
    "batch_size": 16,
}

DEMO = presets.extend(Config, presets.DEMO, **_DEMO)

IMAGES = presets.extend(Config, presets.IMAGES, **_DEMO, generators=(NAIVE, OURS))

# The generators' weights and networks are those of both papers: charachon_shared/presets.py.
PAPER = presets.extend(
    Config,
    presets.PAPER,
    head="linear",  # I, IV-B: 'adapt the last layers'
    generators=NAMES,  # I, Table I and the naive one
    duo_batch_size=4,  # I, IV-C: Duo AE
    num_runs=1,  # I: one of each, as far as it says
    percentiles=(80.0, 85.0, 90.0, 95.0, 98.0),  # I, Table VI
    num_averaged=10,  # I, IV-D
    batch_size=4,  # ours: with 50 nodes or noisy copies each, 200 images: 18 GB for a ResNet-50
)

PRESETS = {"smoke": SMOKE, "demo": DEMO, "images": IMAGES, "paper": PAPER}
