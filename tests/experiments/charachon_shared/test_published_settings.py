"""Every number of the ``paper`` presets of Charachon's experiments, beside where it is published.

I: Charachon et al. 2020 (ICPR). II: Charachon et al. 2021 ("Visual explanation by unifying ...").
"released": read in code, named by its repository.
"""

import dataclasses
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from published_settings import check_published, settings_of

from cfx_jax.errors import InputError
from cfx_jax.losses import PUBLISHED_WEIGHTS
from experiments.charachon_shared import Setup, generators, split_shares
from experiments.path_attribution import generators as cycle_generators
from experiments.path_attribution.presets import PAPER as PATH
from experiments.shared import ImageSet, StoredImages, Workspace, fit_to_images
from experiments.similar_adversarial.compared_generators import NAIVE, NAMES, row_settings
from experiments.similar_adversarial.presets import PAPER as SIMILAR
from trainers import count_steps, describe_length, with_run
from trainers import cycle as cycle_trainer
from trainers import similar_adversarial as pair_trainer

CGAN = "released: martinCharachon/cGANsExplainer, MNIST"
FPGAN = "released: mahfuzmohammad/Fixed-Point-GAN"
SALIENCY = "released: PiotrDabkowski/pytorch-saliency"

SHARED = {
    "data": ("rsna:PATH", "I, IV-A; II, 4.1"),
    "image_size": (224, "I, IV-B; II, 4.1"),
    "augmentation": (
        "published",
        "I, IV-B names the moves; ranges: Table II, which is of prediction",
    ),
    "classifier.model": ("resnet50", "I, IV-B; II, 4.1"),
    "classifier.optimiser.rule": ("adamw", "I, IV-B; II, 4.1: Adam, without weight decay"),
    "classifier.optimiser.learning_rate": (1e-4, "I, IV-B; II, 4.1"),
    "classifier.run.epochs": (50, "I, IV-B; not in II"),
    "classifier.run.batch_size": (32, "I, IV-B; not in II"),
    "similar_adversarial.run.epochs": (70, "I, IV-C"),
    "similar_adversarial.generator": ("single", "I, V: Single AE2 (W,TV)"),
    "similar_adversarial.head_filters": ((32, 16), CGAN),
    "similar_adversarial.norm": ("affine", CGAN),
    "similar_adversarial.residual": (False, CGAN),
    "similar_adversarial.weights.similar": (3.0, "I, Table I"),
    "similar_adversarial.weights.adversarial": (1.0, "I, Table I"),
    "similar_adversarial.weights.difference": (1.0, "I, Table I"),
    "similar_adversarial.weights.absolute_difference": (0.2, "I, Table I"),
    "similar_adversarial.weights.similar_class": (0.001, "I, Table I"),
    "similar_adversarial.weights.adversarial_class": (0.001, "I, Table I"),
    "similar_adversarial.weights.proximity": (0.2, "I, Table I"),
    "similar_adversarial.weights.variation": (0.2, "I, Table I"),
    "similar_adversarial.margin": (None, "I, equation 7"),
    "similar_adversarial.proximity": ("norm", "I, equation 8"),
    "similar_adversarial.optimiser.learning_rate": (1e-4, "I, IV-C"),
    "similar_adversarial.optimiser.factor": (1 / 3, "I, IV-C"),
    "similar_adversarial.optimiser.patience": (3, "I, IV-C"),
    "similar_adversarial.optimiser.smallest": (1e-5, CGAN),
    "similar_adversarial.run.batch_size": (8, "I, IV-C: Single AE"),
    "similar_adversarial.select": ("loss", CGAN),
    "mask_generator.weights.destroyer": (1.0, SALIENCY),
    "mask_generator.weights.preserver": (0.3, SALIENCY),
    "mask_generator.weights.area": (8.0, SALIENCY),
    "mask_generator.weights.smoothness": (0.005, SALIENCY),
    "mask_generator.weights.destroyer_margin": (5.0, SALIENCY),
    "mask_generator.weights.preserver_margin": (1.0, SALIENCY),
    "mask_generator.weights.area_power": (0.3, SALIENCY),
    "mask_generator.weights.border": (0.3, SALIENCY),
    "mask_generator.blurred": (0.5, SALIENCY),
    "mask_generator.blur_sigma": (11.0, SALIENCY),
    "mask_generator.learning_rate": (1e-3, SALIENCY),
    "mask_generator.weight_decay": (1e-4, SALIENCY),
    "mask_generator.run.num_steps": (3000, f"{SALIENCY}: in steps, whatever the set"),
    "mask_generator.run.batch_size": (64, SALIENCY),
    "mask_generator.balanced": (False, SALIENCY),
    "num_nodes": (50, "II, 4.2, after equation 6; not in I"),
    "num_perturbation_steps": (150, "II, 4.2; not in I"),
    "num_explained": (10_000, "I, V-B; II, 4.3: all annotated test images"),
}

IN_I = {
    "head": ("linear", "I, IV-B: 'adapt the last layers'"),
    "generators": (NAMES, "I, Table I and the naive one"),
    "duo_batch_size": (4, "I, IV-C: Duo AE"),
    "num_runs": (1, "I: one of each, as far as it says"),
    "percentiles": ((80.0, 85.0, 90.0, 95.0, 98.0), "I, Table VI"),
    "num_averaged": (10, "I, IV-D"),
}

CYCLE = {
    "residual": (False, CGAN),
    "penalty": (1.0, CGAN),
    "optimiser.learning_rate": (1e-4, CGAN),
    "optimiser.factor": (0.3, CGAN),
    "optimiser.patience": (4, CGAN),
    "optimiser.smallest": (1e-5, CGAN),
    "run.epochs": (60, CGAN),
    "select": ("loss", CGAN),
}
SYCE = CYCLE | {
    "method": ("syce", "II, 4.2 (3)"),
    "weights.symmetric": (10.0, CGAN),
    "weights.cyclic": (2.0, CGAN),
    "weights.adversarial_class": (0.2, CGAN),
    "weights.symmetric_class": (0.01, CGAN),
    "weights.cyclic_class": (0.005, CGAN),
    "weights.realness": (0.25, CGAN),
    "update": ("separated", CGAN),
}
CYCE = CYCLE | {
    "method": ("cyce", "II, 4.2 (3)"),
    "weights.symmetric": (0.0, CGAN),
    "weights.cyclic": (10.0, CGAN),
    "weights.adversarial_class": (0.2, CGAN),
    "weights.symmetric_class": (0.0, CGAN),
    "weights.cyclic_class": (0.005, CGAN),
    "weights.realness": (0.25, CGAN),
    "update": ("together", CGAN),
}
ADVERSARY = {
    "filters": (64, FPGAN),
    "num_halvings": (2, FPGAN),
    "num_blocks": (6, FPGAN),
    "limit": ("tanh", FPGAN),
    "critic_filters": (64, FPGAN),
    "critic_depth": (6, FPGAN),
    "weights.realness": (1.0, FPGAN),
    "weights.domain": (1.0, FPGAN),
    "weights.reconstruction": (10.0, FPGAN),
    "weights.identity": (10.0, f"{FPGAN}, CelebA"),
    "penalty": (10.0, FPGAN),
    "critic_steps": (5, FPGAN),
    "optimiser.learning_rate": (1e-4, FPGAN),
    "optimiser.momentum": (0.5, FPGAN),
    "optimiser.rule": ("adam", FPGAN),
    "optimiser.schedule": ("line", FPGAN),
    "optimiser.turn": (0.5, FPGAN),
    "run.num_steps": (40_000, f"{FPGAN}: 200,000 updates of the critic, whatever the set"),
    "run.batch_size": (8, f"{FPGAN}: 16 of both decisions"),
    "select": ("none", FPGAN),
}
IN_II = {
    "classifier.weighted": (
        True,
        "II, 4.1: weighted binary cross-entropy; by inverse frequency, ours",
    ),
    "head": ("finding", "II, 4.1: dropout 0.3, 128, 1"),
    "percentiles": ((), "II, Table 1, by task; see test_path_attribution"),
    "faithfulness.num_images": (1000, "II, 4.3"),
    **{f"syce.{name}": each for name, each in SYCE.items()},
    **{f"cyce.{name}": each for name, each in CYCE.items()},
    **{f"adversary.{name}": each for name, each in ADVERSARY.items()},
}


# Named alone, so that none is forgotten: what neither paper nor code gives (of BUILD_NOTES, or set
# by the images, by the epochs, which tests below count out, or by the run).
SHARED_OURS = {
    "preset",
    "classes",
    "num_images",
    "validation",
    "test",
    "classifier.weights",
    "classifier.num_classes",
    "classifier.in_channels",
    "classifier.mean",
    "classifier.std",
    "classifier.optimiser.momentum",
    "classifier.optimiser.nesterov",
    "classifier.optimiser.weight_decay",
    "classifier.optimiser.schedule",
    "classifier.optimiser.smallest",
    "classifier.optimiser.turn",
    "classifier.run.num_steps",
    "classifier.run.steps_per_epoch",
    "classifier.balanced",
    "classifier.run.evaluate_every",
    "classifier.run.checkpoint_every",
    "classifier.run.log_every",
    "classifier.run.eval_batch_size",
    "classifier.run.seed",
    "classifier.select",
    "similar_adversarial.in_channels",
    "similar_adversarial.filters",
    "similar_adversarial.run.steps_per_epoch",
    "similar_adversarial.run.num_steps",
    "similar_adversarial.balanced",
    "similar_adversarial.run.evaluate_every",
    "similar_adversarial.run.checkpoint_every",
    "similar_adversarial.run.log_every",
    "similar_adversarial.run.eval_batch_size",
    "similar_adversarial.run.seed",
    "mask_generator.width",
    "mask_generator.select",
    "mask_generator.run.epochs",
    "mask_generator.run.steps_per_epoch",
    "mask_generator.run.evaluate_every",
    "mask_generator.run.checkpoint_every",
    "mask_generator.run.log_every",
    "mask_generator.run.eval_batch_size",
    "mask_generator.run.seed",
    "num_samples",
    "num_perceptual_steps",
    "groups",
    "window",
    "organ",
    "seed",
    "results",
    "work",
}
IN_I_OURS = {"classifier.weighted", "batch_size", "num_shown"}
CYCLE_OURS = {
    "size",
    "in_channels",
    "filters",
    "discriminator_filters",
    "run.num_steps",
    "run.steps_per_epoch",
    "run.batch_size",
    "run.evaluate_every",
    "run.checkpoint_every",
    "run.log_every",
    "run.eval_batch_size",
    "run.seed",
}
ADVERSARY_OURS = {
    "size",
    "in_channels",
    "weights.decision",
    "optimiser.nesterov",
    "optimiser.weight_decay",
    "optimiser.smallest",
    "run.epochs",
    "run.steps_per_epoch",
    "run.evaluate_every",
    "run.checkpoint_every",
    "run.log_every",
    "run.eval_batch_size",
    "run.seed",
}
IN_II_OURS = {
    "batch_size",
    "faithfulness.region",
    "faithfulness.regions_per_step",
    "faithfulness.aopc",
    "faithfulness.num_random",
    "faithfulness.least_turned",
    "faithfulness.unturned",
    "leave_out",
    "num_shown",
}
IN_II_OURS |= {f"{name}.{each}" for name in ("syce", "cyce") for each in CYCLE_OURS}
IN_II_OURS |= {f"adversary.{each}" for each in ADVERSARY_OURS}
# Searches of other papers, which the preset does not start.
IN_II_OURS |= {name for name, _ in settings_of(PATH) if name.startswith("latent.")}


@pytest.mark.parametrize(
    ("preset", "table", "ours"),
    [
        (SIMILAR, SHARED | IN_I, SHARED_OURS | IN_I_OURS),
        (PATH, SHARED | IN_II, SHARED_OURS | IN_II_OURS),
    ],
    ids=["I", "II"],
)
def test_every_number_of_a_paper_preset_has_its_published_value_or_is_named_as_ours(
    preset, table, ours
):
    check_published(preset, table, ours)
    assert all(place.startswith(("I, ", "I:", "II, ", "released: ")) for _, place in table.values())


TABLE_I = {
    "Duo AE (TV)": (1, 1, 1, 0, 0.001, 0.001, 0, 0.2),
    "Duo AE (W,TV)": (1, 1, 1, 0, 0.001, 0.001, 0.1, 0.2),
    "Single AE1 (TV)": (1, 1, 1, 0, 0.001, 0.001, 0, 0.2),
    "Single AE1 (W)": (3, 1, 1, 0.2, 0.001, 0.001, 0.1, 0),
    "Single AE1 (W,TV)": (1, 1, 1, 0.2, 0.001, 0.001, 0.1, 0.2),
    "Single AE2 (W)": (3, 1, 1, 0.2, 0.001, 0.001, 0.2, 0),
    "Single AE2 (W,TV)": (3, 1, 1, 0.2, 0.001, 0.001, 0.2, 0.2),
}
"""The paper's alpha 1 to 4, beta 1 and 2, gamma and lambda."""


def test_the_rows_are_those_of_table_i():
    assert {name: dataclasses.astuple(each) for name, each in PUBLISHED_WEIGHTS.items()} == TABLE_I


@pytest.mark.parametrize("preset", [SIMILAR, PATH])
def test_published_splits_are_those_of_the_set_that_is_named(preset):
    for data, parts in (
        ("rsna:/x", (1_495 / 14_863, 1_451 / 14_863)),
        ("msd:/x", (48 / 484, 73 / 484)),
    ):
        assert split_shares(dataclasses.replace(preset, data=data)) == parts
    assert split_shares(dataclasses.replace(preset, data="folder:/x")) == (0.1, 0.1)
    assert split_shares(dataclasses.replace(preset, data="msd:/x", test=0.3)) == (48 / 484, 0.3)


class Stop(Exception):
    """Ends a training before its first step."""


def settings_run(monkeypatch, module, begin):
    """The settings that a training runs with once all lengths are counted; no network is made."""

    def stop(config, inputs):
        raise Stop(config)

    parts = {"make_evaluate": lambda config, inputs: None, "make_step": stop}
    monkeypatch.setattr(module, "TRAINER", dataclasses.replace(module.TRAINER, **parts))
    with pytest.raises(Stop) as stopped:
        begin()
    return stopped.value.args[0]


class Virtual:
    """So many images, all alike."""

    class_names = ("healthy", "ill")

    def __init__(self, count, ill):
        self.labels = (np.arange(count) < ill).astype(int)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return {"image": np.full((4, 4, 1), 0.5, np.float32), "label": int(self.labels[index])}


def data_of(count, ill):
    train = ImageSet.whole(Virtual(count, ill), f"virtual {count}")
    few = {"image": np.full((4, 4, 4, 1), 0.5, np.float32), "label": np.arange(4) % 2}
    return SimpleNamespace(
        train=train, validation=ImageSet.whole(StoredImages(few, train.class_names), "few")
    )


def mean_logits(image):
    """Two logits by the mean of an image."""
    return jnp.stack([jnp.zeros(()), image.mean() - 0.5])


NETWORK = SimpleNamespace(identity="none", classifier=Partial(mean_logits), model=None)


# Images, positive ones, and whole batches of 32, 8 and 4.
@pytest.mark.parametrize(
    ("count", "ill", "classifier", "single", "duo"),
    [(11_917, 4_820, 372, 1_489, 2_979), (46_900, 11_725, 1_465, 5_862, 11_725)],
    ids=["RSNA", "MSD"],
)
def test_trainings_last_as_many_epochs_as_published_whatever_the_set_and_the_batch(
    count, ill, classifier, single, duo, monkeypatch, tmp_path
):
    data, workspace = data_of(count, ill), Workspace(tmp_path)
    moments = {"mean": np.array([0.5]), "std": np.array([0.25])}
    monkeypatch.setattr("experiments.shared.training._moments", lambda images: moments)
    for preset in (SIMILAR, PATH):
        fitted = fit_to_images(preset.classifier, data.train, workspace)
        assert (fitted.run.num_steps, fitted.run.evaluate_every) == (50 * classifier, classifier)
    for row in NAMES:
        settings = row_settings(
            row, SIMILAR.similar_adversarial, duo_batch_size=SIMILAR.duo_batch_size
        )
        given = (row, settings, Setup(SIMILAR, data, NETWORK, workspace))
        settings = settings_run(
            monkeypatch,
            pair_trainer,
            lambda given=given: generators.train_similar_adversarial(*given),
        )
        epoch, batch = (duo, 4) if row.startswith("Duo") else (single, 8)
        run = settings.run
        assert (run.batch_size, run.num_steps, run.evaluate_every) == (batch, 70 * epoch, epoch), (
            row
        )
        assert run.steps_per_epoch == epoch, row  # so that the patience of 3 is 3 epochs
        assert (
            0 <= count - run.num_steps * run.batch_size / 70 < batch
        )  # whole batches leave out less than one
        assert settings.generator == ("naive" if row == NAIVE else row.split()[0].lower())


def test_an_epoch_of_syce_ends_with_the_rarer_decision(monkeypatch, tmp_path):
    data = data_of(400, 100)
    decisions = data.train.labels
    monkeypatch.setattr("trainers.shared.batches.decide_source", lambda *given, **other: decisions)
    for settings in (PATH.syce, PATH.cyce):
        given = (settings, Setup(PATH, data, NETWORK, Workspace(tmp_path)))
        settings = settings_run(
            monkeypatch, cycle_trainer, lambda given=given: cycle_generators.train_cycle(*given)
        )
        assert (settings.run.num_steps, settings.run.evaluate_every, settings.size) == (
            60 * (100 // 16),
            100 // 16,
            (4, 4),
        )


def test_numbers_of_steps_that_are_told_stay(monkeypatch, tmp_path):
    told = with_run(SIMILAR.similar_adversarial, num_steps=7)
    given = (NAIVE, told, Setup(SIMILAR, data_of(100, 40), NETWORK, Workspace(tmp_path)))
    settings = settings_run(
        monkeypatch, pair_trainer, lambda: generators.train_similar_adversarial(*given)
    )
    assert (settings.run.num_steps, settings.run.evaluate_every) == (7, 100 // 8)
    with pytest.raises(InputError, match=r"epochs: expected enough for one of 12 steps, got 0\.01"):
        count_steps(with_run(told, num_steps=0, epochs=0.01), num_images=8 * 12)
    lengths = [describe_length(config.run) for config in (told, SIMILAR.similar_adversarial)]
    assert lengths == ["7 steps", "70 epochs"]
