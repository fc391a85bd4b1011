"""The presets: a smoke test, a demonstration for two cores, and the published setting."""

import dataclasses
from typing import Any

from experiments.acat.config import Config, SearchConfig
from experiments.shared import short_autoencoder, short_training
from trainers import OptimiserSettings, RunSettings, autoencoder, volume_classifier

# The demonstration's numbers that were chosen by trial, all in one place.
_SHAPE = (2, 64, 64)
_SEVERITY = 1.5  # how dark infarcts are
_SEEDS = tuple(range(6))
_NUM_SCANS, _NUM_TESTED, _NUM_LOCATED, _NUM_SEARCHED = 280, 200, 40, 30
_BASELINE_STEPS, _FROM_BASELINE_STEPS, _CODER_STEPS = 400, 400, 600
_RATE, _FROM_BASELINE_RATE, _CODER_RATE = 2e-3, 2e-3, 5e-3
_CODER_FILTERS, _DRAWING_FILTERS = (8, 16), (16, 8)
_STEP_SIZE, _QUOTIENT = 0.01, 0.015
_SMALL = ("half_brain_fine", "slice_small")
TRIED_SEEDS = range(10)
"""Seeds of the worlds on which these numbers were chosen; the demonstration reports on others."""
_FRESH_SEED = 100


def _classifier(
    settings: volume_classifier.Config,
    num_steps: int,
    evaluate_every: int,
    rate: float,
    **options: Any,
) -> volume_classifier.Config:
    optimiser = dataclasses.replace(settings.optimiser, learning_rate=rate)
    config = dataclasses.replace(settings, optimiser=optimiser, **options)
    size = config.run.batch_size
    return short_training(config, num_steps, size, evaluate_every, steps_per_epoch=evaluate_every)


SMOKE = Config(
    preset="smoke",
    shape=(3, 32, 32),
    num_scans=60,
    num_located=4,
    test=0.3,
    train=0.5,
    severity=2.0,
    seeds=(0, 1),
    trunks=_SMALL,
    rows=("scratch",),
    baseline=_classifier(volume_classifier.Config(), 4, 4, _RATE, horizontal_flip=False),
    from_baseline=_classifier(volume_classifier.FROM_BASELINE, 2, 2, _FROM_BASELINE_RATE),
    autoencoder=short_autoencoder(
        4, 8, 4, learning_rate=_CODER_RATE, width=8, filters=(8,), decoder_filters=(8,)
    ),
    search=SearchConfig(quotient=_QUOTIENT, num_steps=2, minimum_psnr=0.0),
    num_detected=4,
    num_shown=1,
)

DEMO = Config(
    preset="demo",
    data=("stroke",),
    seed=_FRESH_SEED,
    shape=_SHAPE,
    num_scans=_NUM_SCANS,
    num_tested=_NUM_TESTED,
    num_located=_NUM_LOCATED,
    severity=_SEVERITY,
    train=0.75,
    seeds=_SEEDS,
    trunks=_SMALL,
    rows=("controls",),
    baseline=_classifier(volume_classifier.Config(), _BASELINE_STEPS, 50, _RATE),
    from_baseline=_classifier(
        volume_classifier.FROM_BASELINE, _FROM_BASELINE_STEPS, 50, _FROM_BASELINE_RATE
    ),
    autoencoder=short_autoencoder(
        _CODER_STEPS,
        16,
        100,
        learning_rate=_CODER_RATE,
        width=16,
        filters=_CODER_FILTERS,
        decoder_filters=_DRAWING_FILTERS,
    ),
    search=SearchConfig(quotient=_QUOTIENT, step_size=_STEP_SIZE),
    num_detected=_NUM_SEARCHED,
)

# The published setting. A comment says where the paper gives a value. "code": the authors' released
# code gives it. "later code": the first author's, alessandro-f/Dif-fuse. "ours": none of them does.
_PAPER_BASELINE = volume_classifier.Config(
    model="slice_resnet50",  # ours: the networks of trunks take its place
    saliency=False,  # ours: set anew for every network
    sides=False,  # ours: set anew for heads
    num_classes=2,  # section 4.3, chests
    in_channels=1,  # section 4.1: computed tomography
    num_slices=11,  # appendix C
    weighted=True,  # code
    horizontal_flip=True,  # code
    vertical_flip=True,  # code; not of heads
    optimiser=OptimiserSettings(
        rule="adam",  # code
        learning_rate=1e-4,  # code
        momentum=0.9,  # code: PyTorch's default
        weight_decay=5e-5,  # code
        schedule="cosine_by_epoch",  # code
        smallest=1e-7,  # code
    ),
    select="accuracy",  # code
    run=RunSettings(
        epochs=200,  # appendix C
        num_steps=0,  # ours: counted out from the epochs
        steps_per_epoch=0,  # ours: counted out from the scans
        batch_size=8,  # code
        evaluate_every=0,  # code: an epoch
        checkpoint_every=0,  # ours: an epoch; does not change the result
        log_every=50,  # ours: does not change the result
        eval_batch_size=8,  # ours: does not change the result
        seed=0,  # ours: the run's takes its place
    ),
)

PAPER = Config(
    preset="paper",
    data=("mosmed:PATH", "ist3:PATH"),  # section 4.1
    shape=(11, 128, 128),  # appendix C
    ist3_shape=(11, 500, 400),  # appendix C: 400 x 500
    train=0.7,  # section 4.1
    test=0.15,  # section 4.1
    seeds=(0, 1, 2),  # section 4.1: three runs; the seeds are ours
    trunks=("half_brain", "slice_resnet50"),  # section 4.2 and appendix B
    rows=(
        "competitors",  # Tables 1, 2, 4 and 7
        "components",  # section 4.5, second paragraph
        "sources",  # section 4.5, first paragraph
        "rivals",  # Table 6
        "released",  # code
        "dropout",  # section 4.7
        "scratch",  # section 4.6 and Table 3
        "controls",  # ours
        "more_controls",  # ours
    ),
    training_sizes=(50, 100, 200, 300, 500),  # Table 4
    baseline=_PAPER_BASELINE,
    from_baseline=dataclasses.replace(
        _PAPER_BASELINE,  # code
        model="acat_slice_resnet50",  # ours: the networks of trunks take its place
        saliency=True,  # ours: set anew for every network
        horizontal_flip=False,  # code
        vertical_flip=False,  # code
        optimiser=dataclasses.replace(
            _PAPER_BASELINE.optimiser,
            learning_rate=1e-5,  # code
        ),
        select="accuracy",  # ours: as the baseline's; the code keeps the last weights
        run=dataclasses.replace(
            _PAPER_BASELINE.run,
            epochs=100,  # appendix C
        ),
    ),
    autoencoder=autoencoder.Config(
        width=128,  # code
        filters=(6, 12, 16),  # appendix B: three blocks; their channels from the code
        decoder_filters=(16, 12, 12),  # appendix B: three blocks; their channels from the code
        norms=True,  # code
        fold_pixels=False,  # ours: for small slices
        optimiser=OptimiserSettings(
            rule="adam",  # later code
            learning_rate=3e-4,  # later code
            momentum=0.9,  # later code: PyTorch's default
            weight_decay=0.0,  # later code
            schedule="cosine_by_epoch",  # later code
            smallest=1e-7,  # later code
        ),
        select="psnr",  # code
        run=RunSettings(
            epochs=200,  # later code
            num_steps=0,  # ours: counted out from the epochs
            steps_per_epoch=0,  # ours: counted out from the slices
            batch_size=64,  # later code
            evaluate_every=0,  # ours: an epoch
            checkpoint_every=0,  # ours: an epoch; does not change the result
            log_every=50,  # ours: does not change the result
            eval_batch_size=64,  # ours: does not change the result
            seed=0,  # ours: none is given
        ),
    ),
    search=SearchConfig(
        penalty=100.0,  # section 3.2, after equation 4
        quotient=None,  # ours: for small scans
        reference="reconstruction",  # code; sections 3.2 and 4.4 have the scan itself
        num_steps=20,  # section 3.2, after equation 4
        step_size=0.1,  # code; Figure 5: 1
        proximal=False,  # code
        minimum_psnr=20.0,  # ours
    ),
    num_detected=1000,  # ours: more than there are
    acat_detects=True,  # section 4.4: 68.55 %
    unbounded_steps=(10.0, 3.0, 1.0, 0.1, 0.01),  # appendix F, Figure 6
    num_shown=3,  # ours
    batch_size=8,  # ours: changes results by rounding only
    seed=0,  # ours: of synthetic worlds only
)

PRESETS = {"smoke": SMOKE, "demo": DEMO, "paper": PAPER}
