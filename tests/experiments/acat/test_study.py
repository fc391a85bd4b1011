"""The order of ACAT's study: what a network is trained on, with which maps, and asked about."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
import toy_coder
from flax import nnx

from cfx_jax.compilation import as_pytree
from cfx_jax.errors import InputError
from cfx_jax.models import HalfBrainLogits, LesionHead, parts, per_image
from experiments.acat import study as studies
from experiments.acat import training
from experiments.acat.config import SearchConfig
from experiments.acat.data import Scans, split_scans
from experiments.acat.facts import ChosenFacts, StoredFacts
from experiments.acat.maps import OURS, Explained, attention_maps
from experiments.acat.networks import ACAT, AS_LONG, BASELINE
from experiments.acat.presets import SMOKE
from experiments.acat.setup import Setup
from experiments.acat.variances import Variances
from experiments.shared import Workspace
from trainers import autoencoder, with_run
from trainers.volume_classifier import FROM_BASELINE

NUMBER, FLAT = 24, 5
SETTINGS = SearchConfig(quotient=0.01, num_steps=2, step_size=0.1, minimum_psnr=0.0)
CONFIG = dataclasses.replace(
    SMOKE,
    search=SETTINGS,
    rows=("controls", "more_controls"),
    seeds=(3,),
    train=0.5,
    test=0.25,
    num_shown=1,
    unbounded_steps=(),
    acat_detects=False,
    training_sizes=(6,),
    batch_size=4,
    baseline=with_run(SMOKE.baseline, num_steps=8),
    from_baseline=with_run(SMOKE.from_baseline, num_steps=4),
)
CODER = toy_coder.ToyCoder(*map(as_pytree, (toy_coder.encode, toy_coder.decode)))
IMAGES = toy_coder.volumes(NUMBER, seed=7)
IMAGES[FLAT] = 0.5  # nothing to be seen: no autoencoder can show it
PLACES = (IMAGES > 0.7).astype(np.float32)
LABELS = np.arange(NUMBER) % 3


class Toy(nnx.Module):
    """Two logits of the mean slice, with or without a map, and always the right side."""

    def __init__(self, gain):
        self.gain = nnx.Param(jnp.asarray(gain))

    def features(self, volumes, *maps):
        return volumes * (1 + maps[0]) if maps else volumes

    def classify(self, features):
        means = features.reshape(*features.shape[:2], toy_coder.PIXELS).mean(axis=1) - 0.5
        evidence = self.gain[...] * toy_coder.STEEPNESS * means @ jnp.asarray(toy_coder.WEIGHTS)
        return HalfBrainLogits(
            jnp.stack([0 * evidence, evidence], axis=-1),
            jnp.stack([0 * evidence, 1 + 0 * evidence, 0 * evidence], axis=-1),
        )

    def __call__(self, volumes, *maps):
        return self.classify(self.features(volumes, *maps))

    def masks(self, saliency):
        return {"early": saliency, "middle": 2 * saliency, "late": 3 * saliency}


class Call(NamedTuple):
    """The arguments of a training."""

    config: object
    source: object
    train: np.ndarray
    validation: dict
    start: object
    skip: tuple
    model: Toy


@pytest.fixture
def calls(monkeypatch):
    """Trainings of the study in their order; each gives a network of its own."""
    calls = []

    def train(name, trainer, *inputs, model=None, start=None, skip=()):
        if trainer is autoencoder.TRAINER:
            calls.append(inputs)
            return None
        config, source, indices, validation, _ = inputs
        made = Toy(1.0 + 0.5 * len(calls))
        calls.append(Call(config, source, indices, validation, start, skip, made))
        return made

    monkeypatch.setattr(training, "run_training", train)
    monkeypatch.setattr(training, "coder_of", lambda model: CODER)
    monkeypatch.setattr(
        studies, "measure_variances", lambda *inputs, **options: Variances(np.ones(2), np.ones(2))
    )
    return calls


def scans():
    facts = StoredFacts({"image": IMAGES, "lesion_mask": PLACES[..., 0] > 0})
    names = ("none", "left", "right", "both")
    return Scans(
        "toy",
        IMAGES,
        LABELS,
        LABELS,
        names,
        sides=True,
        facts=facts,
        note="",
        identity="toy",
        located=ChosenFacts(facts, [1, 2, 4, 7]),
        places=PLACES,
    )


def run(config, folder):
    setup = Setup(config, scans(), Workspace(folder))
    return studies.study_kind(setup, training.plan_trainings(setup))


def decided_by(model, *inputs):
    no_lesion, lesion = np.asarray(
        model(*inputs).lesion
    ).T  # of a network at its start they may be equal
    return np.where(lesion >= no_lesion, 2, 0)


def test_every_network_gets_its_scans_its_maps_and_the_baselines_weights(calls, tmp_path):
    results = run(CONFIG, tmp_path)
    split = split_scans(CONFIG, scans(), 3)
    coder, first, *rest = calls[: 2 + len(results.networks) - 1]
    assert [network.name for network in results.networks] == [
        BASELINE,
        AS_LONG,
        "maps: true places",
        "maps: zero",
        "maps: of other scans",
        "slice attention alone",
        "maps: noise",
        ACAT,
    ]
    assert len(coder[1]) == NUMBER * 3  # the autoencoder sees the slices of all scans
    np.testing.assert_array_equal(coder[3]["image"], IMAGES[split.validation].reshape(-1, 4, 4, 1))
    # The baseline starts at random and is the start of all others, which are trained half as long.
    assert first.start is None and first.config.run.num_steps == 8
    assert all(call.start is first.model and call.config.run.num_steps == 4 for call in rest)
    for call in (first, *rest):
        np.testing.assert_array_equal(call.train, split.train)
        np.testing.assert_array_equal(call.validation["image"], IMAGES[split.validation])
        np.testing.assert_array_equal(call.validation["label"], LABELS[split.validation])
        assert call.config.sides and call.config.run.seed == 3 and call.skip == ()
    by_name = dict(zip([network.name for network in results.networks[1:]], rest, strict=True))
    assert not by_name[AS_LONG].config.saliency and "saliency" not in by_name[AS_LONG].validation
    explained = Explained(
        per_image(LesionHead(first.model)), *parts(LesionHead(first.model)), CODER
    )
    expected = np.array(attention_maps(OURS, explained, IMAGES, SETTINGS, batch_size=4)[..., None])
    expected[FLAT] = 0
    given = {
        name: np.stack([call.source[place]["saliency"] for place in range(NUMBER)])
        for name, call in by_name.items()
        if call.config.saliency
    }
    np.testing.assert_allclose(given[ACAT], expected, atol=1e-6)
    np.testing.assert_array_equal(given["slice attention alone"], given[ACAT])
    np.testing.assert_array_equal(given["maps: true places"], PLACES)
    assert not given["maps: zero"].any()
    others = given["maps: of other scans"]
    # A scan without a map has none here either, and gives none to another.
    assert [place for place in range(NUMBER) if not others[place].any()] == [FLAT]
    explained_ones = [place for place in range(NUMBER) if place != FLAT]
    assert not any(np.array_equal(others[place], given[ACAT][place]) for place in explained_ones)
    for name, maps in given.items():
        np.testing.assert_array_equal(by_name[name].validation["saliency"], maps[split.validation])
    # Each network is asked about the test scans, with its maps.
    answers = results.runs[0].answers
    np.testing.assert_array_equal(answers.labels, LABELS[split.test])
    np.testing.assert_array_equal(
        answers.decided[BASELINE], decided_by(first.model, IMAGES[split.test])
    )
    for name, maps in given.items():
        expected = decided_by(by_name[name].model, IMAGES[split.test], maps[split.test])
        np.testing.assert_array_equal(answers.decided[name], expected)
    assert results.refused == 1
    # Figure 2 is of the first test scan with a finding, in the slice with most of it.
    place = split.test[LABELS[split.test] > 0][0]
    attention = results.runs[0].attention
    number = int(PLACES[place].sum(axis=(1, 2, 3)).argmax())
    np.testing.assert_array_equal(attention.slices, [number])
    np.testing.assert_allclose(
        attention.masks[0, 2], 3 * given[ACAT][place, number, ..., 0], rtol=1e-6
    )


def test_runs_with_scans_of_their_own_are_compared_on_the_same_scans(calls, tmp_path):
    config = dataclasses.replace(CONFIG, rows=(), seeds=(3, 5), training_sizes=())
    setup = Setup(config, scans()._replace(num_tested=6), Workspace(tmp_path))
    results = studies.study_kind(setup, training.plan_trainings(setup))
    _, first, first_acat, second, second_acat = calls
    assert set(first.train) | set(second.train) <= set(range(18))
    assert not set(first.train) & set(second.train)
    np.testing.assert_array_equal(first.train, first_acat.train)
    np.testing.assert_array_equal(second.train, second_acat.train)
    assert second_acat.start is second.model and second.config.run.seed == 5
    for answers in results.answers:
        np.testing.assert_array_equal(answers.labels, LABELS[18:])
        np.testing.assert_array_equal(answers.units, np.arange(18, 24))


def test_smaller_trainings_are_a_part_of_the_larger_for_as_many_epochs(calls, tmp_path):
    config = dataclasses.replace(CONFIG, rows=(), from_baseline=with_run(FROM_BASELINE, epochs=2))
    results = run(config, tmp_path)
    split = split_scans(CONFIG, scans(), 3)
    _, first, acat, smaller, smaller_acat = calls
    assert set(smaller.train) < set(split.train) and len(smaller.train) == 6
    np.testing.assert_array_equal(smaller.train, smaller_acat.train)
    # Half of the scans: half of the steps where they are told, else as many epochs, of however many
    # scans there are.
    assert (first.config.run.num_steps, smaller.config.run.num_steps) == (8, 4)
    assert all(
        (call.config.run.num_steps, call.config.run.epochs) == (0, 2)
        for call in (acat, smaller_acat)
    )
    assert smaller_acat.start is smaller.model and acat.start is first.model
    # Its maps are made by its baseline, of the scans that it uses.
    explained = Explained(
        per_image(LesionHead(smaller.model)), *parts(LesionHead(smaller.model)), CODER
    )
    expected = attention_maps(OURS, explained, IMAGES, SETTINGS, batch_size=4)[..., None]
    for place in smaller.train[smaller.train != FLAT]:
        np.testing.assert_allclose(
            smaller_acat.source[int(place)]["saliency"], expected[place], atol=1e-6
        )
    (answers,) = results.smaller[6]
    assert set(answers.decided) == {BASELINE, ACAT}
    np.testing.assert_array_equal(
        answers.decided[BASELINE], decided_by(smaller.model, IMAGES[split.test])
    )
    with pytest.raises(
        InputError, match=r"--training-sizes: expected 1 to 12, the training scans, got 13"
    ):
        many = dataclasses.replace(CONFIG, training_sizes=(13,))
        training.plan_trainings(Setup(many, scans(), None))
    with pytest.raises(
        InputError,
        match="--test: expected a scan of toy with a finding among the test scans, got none",
    ):
        empty = scans()._replace(labels=np.zeros(NUMBER, int))
        training.plan_trainings(Setup(CONFIG, empty, None))
