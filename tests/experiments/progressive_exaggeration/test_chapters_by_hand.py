"""The whole experiment with every chapter, on classifiers, explainers and an autoencoder that
nobody had to train.
"""

import csv
import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.data import load_arrays
from cfx_jax.report import read_key
from experiments.progressive_exaggeration.__main__ import main
from experiments.progressive_exaggeration.chapters import ablation
from experiments.progressive_exaggeration.label_study import classifiers, explanations
from experiments.progressive_exaggeration.presets import SMOKE
from experiments.shared.controls import CHANGE, RANDOM, TRIVIAL

BINS = 10


class Colours(nnx.Module):
    """Logits of labels by the mean colour of an image."""

    def __init__(self, weights, bias):
        self.weights, self.bias = nnx.Param(jnp.asarray(weights)), nnx.Param(jnp.asarray(bias))

    def features(self, images):
        return images.reshape(len(images), 8, 4, 8, 4, 3).mean((2, 4))

    def classify(self, maps):
        return maps.mean((1, 2)) @ self.weights[...] - self.bias[...]

    def __call__(self, images):
        return self.classify(self.features(images))


def colours(name, trainer, settings, source, indices, *rest, targets, **options):
    """A classifier that decides either way for half of the training images; brighter ones have
    every label.
    """
    images = load_arrays(source, indices[:64], fields=("image",))["image"].mean((1, 2))
    weights = (
        np.random.default_rng(1 + settings.run.seed % 7)
        .uniform(20, 40, (3, targets.shape[1]))
        .astype(np.float32)
    )
    return Colours(weights, np.median(images @ weights, axis=0).astype(np.float32))


class Brightener(nnx.Module):
    """Makes an image the brighter, the higher the bin."""

    num_bins = BINS

    def encode(self, images, bins):
        return images

    def decode(self, latent, bins):
        return jnp.clip(latent + ((bins - 4.5) * 0.02)[:, None, None, None], 0, 1)


class Coder(nnx.Module):
    """Codes an image by its mean colour."""

    def encode(self, images):
        mean = images.mean((1, 2))
        return mean, jnp.zeros_like(mean)

    def decode(self, latent):
        return jnp.broadcast_to(jnp.clip(latent, 0, 1)[:, None, None], (len(latent), 32, 32, 3))


FEW = (
    ablation.NO_ADVERSARY,
    ablation.BASE,
    ablation.STRONG_ADVERSARY,
    ablation.NO_CLASSIFIER,
    ablation.NO_RECONSTRUCTION,
)


@pytest.fixture
def by_hand(monkeypatch):
    trained = {"progressive": Brightener, "vae": Coder}
    monkeypatch.setattr(classifiers, "run_training", colours)
    monkeypatch.setattr(
        explanations,
        "run_training",
        lambda name, trainer, *args, **options: trained[trainer.name](),
    )
    monkeypatch.setattr(ablation, "SETTINGS", FEW)


@pytest.mark.slow
def test_every_chapter_is_written_and_a_second_start_computes_nothing(tmp_path, by_hand, capsys):
    config = dataclasses.replace(
        SMOKE,
        chapters=("saliency", "bias", "attributes", "discrimination", "ablation"),
        one_label=True,
        normalisation="unit",
        attributes=("smiling", "male", "young"),
        discriminated=("smiling", "male"),
        ablated="male",
        human_items=(2, 3, 4),
        work=str(tmp_path / "w"),
        results=str(tmp_path / "r"),
    )
    main(config)
    (folder,) = (tmp_path / "r" / "progressive_exaggeration").iterdir()
    assert {
        "report.html",
        "knob.html",
        "table_1_distances.csv",
        "table_2_identity.csv",
        "figure_3_compatibility.png",
        "table_reliability.csv",
        "figure_5_saliency.png",
        "figure_4c_perturbation.png",
        "table_3_confounding.csv",
        "figure_6_biased.png",
        "table_5_attributes.csv",
        "figure_10_male.png",
        "figure_11_compatibility.png",
        "figure_7_discrimination.csv",
        "table_6_ablation.csv",
        "figure_12_ablation.png",
    } <= {path.name for path in folder.iterdir()}

    with (folder / "figure_4c_perturbation.csv").open() as file:
        methods = [row["method"] for row in csv.DictReader(file)]
    # The world of faces knows the true change.
    controls = [name for name in (*TRIVIAL, CHANGE) if name != RANDOM]
    assert methods[-len(controls) :] == controls

    made = {each["id"]: each for each in json.loads((folder / "claims.json").read_text())["claims"]}
    holding = (
        "C1 overall",
        "C5",
        "Figure 3 correlation",
        "Figure 3 rises",
        "Figure 11 young",
        "C13 male",
    )
    assert {name: made[name]["verdict"] for name in holding} == dict.fromkeys(holding, "holds")
    # xGEM's pictures of one colour lie close together; three classifiers of brightness tell one
    # story.
    assert made["C4"]["verdict"] == "fails" and made["C6 closeness"]["verdict"] == "undecided"
    assert {
        "C7 to smiling",
        "C9",
        "C14",
        "C15",
        "C16",
        "C17",
        "Figure 7 male",
        "Figure 4c random",
    } <= made.keys()
    assert all(each["place"] for each in made.values() if each["kind"] != "target")
    # Figures of smiles stand beside smiles, those of youth nowhere: another label is ablated.
    assert made["C7 to smiling"]["paper"] == {"biased": 0.12, "unbiased": 0.07}
    assert made["C14"]["paper"] == {} and made["C13 young"]["paper"] == {
        "closeness": pytest.approx(0.816)
    }
    rows = [
        line
        for line in (folder / "table_6_ablation.csv").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert len(rows) == 1 + len(FEW)

    categories = read_key(folder / "human_study" / "key.json").categories
    assert {name: categories.count(name) for name in set(categories)} == {
        "task 1 young easy": 2,
        "task 1 young hard": 2,
        "task 1 smiling easy": 2,
        "task 1 smiling hard": 2,
        "task 2 young": 3,
        "task 2 smiling": 3,
        "task 3 biased": 4,
        "task 3 unbiased": 4,
    }
    capsys.readouterr()
    main(config)
    assert "..." not in capsys.readouterr().out
