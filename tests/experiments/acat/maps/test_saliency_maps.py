"""ACAT's searches, maps and scores, on an autoencoder and a classifier followed on paper."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_coder
from compilations import counted_traces
from flax import nnx
from scipy.special import expit

from cfx_jax.compilation import as_pytree
from cfx_jax.counterfactuals import latent_shift_batch
from cfx_jax.metrics import volume_overlap
from experiments.acat.config import SearchConfig
from experiments.acat.data import Scans
from experiments.acat.facts import StoredFacts
from experiments.acat.maps import (
    GRAD_CAM,
    GRADIENT,
    INTEGRATED,
    LATENT_SHIFT,
    METHODS,
    NO_BOUND,
    NOISE,
    OURS,
    SHUFFLED,
    WITH_ACAT,
    ZERO,
    ControlMaps,
    Explained,
    attention_maps,
    detect,
)
from experiments.acat.maps.latent_searches import Traces, remove_finding, search, walk
from experiments.acat.maps.localisation import explain_all
from experiments.acat.maps.names import CONSTANT
from experiments.acat.maps.saliency_maps import explain, explain_network
from experiments.acat.presets import SMOKE
from experiments.acat.setup import Setup
from experiments.shared import Workspace

SLICES, STEPS, STEP, QUOTIENT, CURVATURE = 3, 4, 0.1, 0.02, 0.8
ENTRIES = SLICES * toy_coder.LATENT
SETTINGS = SearchConfig(quotient=QUOTIENT, num_steps=STEPS, step_size=STEP)
VOLUMES = toy_coder.volumes(3)
WEIGHTS_OF_SLICES = np.array([1.0, -0.5, 2.0], np.float32)


def decode(latent):
    """A curved decoder, so that the change of a volume depends on the volume."""
    straight = latent @ jnp.asarray(toy_coder.BASIS, latent.dtype)
    return (0.5 + straight + CURVATURE * straight**2).reshape(*latent.shape[:-1], 4, 4, 1)


CODER = toy_coder.ToyCoder(toy_coder.encode, decode)


def features(volume):
    """Two maps of each slice, of its size: the slice, and what it lacks of white."""
    return jnp.concatenate([volume, 1 - volume], axis=-1)


def head(maps):
    """Logits that weigh slices and maps, of which the second class alone sees anything."""
    means = maps.mean(axis=(1, 2))
    evidence = jnp.asarray(WEIGHTS_OF_SLICES) @ (3 * means[:, 0] + 2 * means[:, 1])
    return jnp.stack([0 * evidence, evidence])


EXPLAINED = Explained(*map(as_pytree, (toy_coder.classifier, features, head)), CODER)


def probability_of(latent, target, gain=1.0):
    """The probability of what the decoder draws of a latent, on paper, in float64.

    ``gain`` is a factor on the classifier's evidence.
    """
    evidence = (
        gain
        * toy_coder.STEEPNESS
        * (drawn(latent) - 0.5).mean(axis=0)
        @ toy_coder.WEIGHTS.astype(np.float64)
    )
    return expit(evidence if target == 1 else -evidence)


def slope_of_cross_entropy(latent, target, gain=1.0):
    """The slope of ``-log p(target)`` by the latent, on paper."""
    straight = latent @ toy_coder.BASIS.astype(np.float64)
    by_pixel = (
        gain * toy_coder.STEEPNESS * toy_coder.WEIGHTS / SLICES * (1 + 2 * CURVATURE * straight)
    )
    return (
        (1 if target == 0 else -1)
        * (1 - probability_of(latent, target, gain))
        * by_pixel
        @ toy_coder.BASIS.T
    )


def descent(volume, target, penalty, gain=1.0):
    """The latents of the search, the volume's first, on paper, in float64."""
    latents = [np.asarray(toy_coder.encode(jnp.asarray(volume)), np.float64)]
    for _ in range(STEPS):
        slope = slope_of_cross_entropy(latents[-1], target, gain)
        pull = penalty * np.sign(latents[-1] - latents[0]) / latents[0].size
        latents.append(latents[-1] - STEP * (slope + pull))
    return latents


def drawn(latent):
    straight = latent.reshape(SLICES, toy_coder.LATENT) @ toy_coder.BASIS.astype(np.float64)
    return 0.5 + straight + CURVATURE * straight**2


def change(latents, reference=None):
    """How far the last latent is drawn from the first, or from a reference, over the largest."""
    difference = np.abs(
        (drawn(latents[0]) if reference is None else reference) - drawn(latents[-1])
    )
    return (difference / difference.max()).reshape(SLICES, 4, 4)


@pytest.mark.parametrize(
    ("settings", "options", "penalty"),
    [
        (SETTINGS, {}, QUOTIENT * ENTRIES),
        (SearchConfig(penalty=0.3, num_steps=STEPS, step_size=STEP), {}, 0.3),
        (SETTINGS, {"bounded": False}, 0.0),
    ],
)
@pytest.mark.parametrize("target", [0, 1])
def test_a_search_takes_the_steps_of_equation_4(settings, options, penalty, target):
    result = search(EXPLAINED, VOLUMES, target, settings, batch_size=3, **options)
    for place, volume in enumerate(VOLUMES):
        latents = descent(volume, target, penalty)
        np.testing.assert_allclose(result.latent[place], latents[-1], atol=2e-5)
        expected = [probability_of(latent, target) for latent in latents]
        np.testing.assert_allclose(result.trace[place], expected, atol=1e-5)


def test_a_second_search_traces_nothing():
    search(EXPLAINED, VOLUMES, 1, SETTINGS, batch_size=3)
    with counted_traces() as traces:
        search(EXPLAINED, VOLUMES, 1, SETTINGS, batch_size=3)
    assert not traces


@pytest.mark.parametrize("reference", ["reconstruction", "original"])
def test_attention_maps_are_means_of_both_targets_changes(reference):
    settings = SearchConfig(quotient=QUOTIENT, num_steps=STEPS, step_size=STEP, reference=reference)
    maps = attention_maps(OURS, EXPLAINED, VOLUMES, settings, batch_size=3)
    for place, volume in enumerate(VOLUMES):
        original = (
            volume.reshape(SLICES, -1).astype(np.float64) if reference == "original" else None
        )
        both = [change(descent(volume, target, QUOTIENT * ENTRIES), original) for target in (0, 1)]
        np.testing.assert_allclose(maps[place], np.mean(both, axis=0), atol=1e-3)


def test_attention_maps_of_a_gradient_are_scaled_to_one():
    maps = attention_maps(GRADIENT, EXPLAINED, VOLUMES, SETTINGS, batch_size=3)
    weights = np.abs(toy_coder.WEIGHTS).reshape(4, 4) / np.abs(toy_coder.WEIGHTS).max()
    np.testing.assert_allclose(maps, np.broadcast_to(weights, (3, SLICES, 4, 4)), atol=1e-5)


def test_detection_explains_the_finding_towards_none():
    result = explain(EXPLAINED, VOLUMES, SETTINGS, batch_size=3)
    assert set(result.maps) == set(METHODS)
    for place, volume in enumerate(VOLUMES):
        bounded, free = (descent(volume, 0, penalty) for penalty in (QUOTIENT * ENTRIES, 0.0))
        np.testing.assert_allclose(result.maps[OURS][place], change(bounded), atol=1e-3)
        np.testing.assert_allclose(result.maps[NO_BOUND][place], change(free), atol=1e-3)
        # The probability of the finding, 1, falls; that of the target, 0, is the rest.
        finding = [1 - probability_of(latent, 0) for latent in bounded]
        np.testing.assert_allclose(result.traces.trace[place], finding, atol=1e-5)
        assert finding[-1] < finding[0]
        np.testing.assert_allclose(
            result.counterfactual[place].reshape(SLICES, -1), drawn(bounded[-1]), atol=1e-4
        )
        np.testing.assert_allclose(
            result.reconstruction[place].reshape(SLICES, -1), drawn(bounded[0]), atol=1e-4
        )
        evidence = (
            toy_coder.STEEPNESS * (volume.reshape(-1, 16).mean(axis=0) - 0.5) @ toy_coder.WEIGHTS
        )
        assert result.initial[place] == pytest.approx(expit(evidence), abs=1e-5)
        slope = toy_coder.STEEPNESS * np.abs(toy_coder.WEIGHTS).reshape(4, 4) / SLICES
        np.testing.assert_allclose(
            result.maps[GRADIENT][place], np.broadcast_to(slope, (SLICES, 4, 4)), rtol=1e-4
        )
        above_black = (
            toy_coder.STEEPNESS * np.abs(volume[..., 0] * toy_coder.WEIGHTS.reshape(4, 4)) / SLICES
        )
        np.testing.assert_allclose(
            result.maps[INTEGRATED][place], above_black, rtol=1e-3, atol=1e-5
        )


def test_latent_shift_lowers_the_finding_and_its_sweep_says_so():
    result = Traces.of(*remove_finding(EXPLAINED, VOLUMES, SETTINGS, batch_size=3))
    maps = explain(EXPLAINED, VOLUMES, SETTINGS, batch_size=3).maps[LATENT_SHIFT]
    shifted = latent_shift_batch(CODER, toy_coder.classifier, VOLUMES, np.zeros(3, int))
    np.testing.assert_allclose(result.shifted, 1 - shifted.probability, atol=1e-6)
    for place, volume in enumerate(VOLUMES):
        start = descent(volume, 0, 0.0)[0]
        p = probability_of(start, 0)
        slope = -p * slope_of_cross_entropy(start, 0)  # of the probability itself
        expected = [
            1 - probability_of(start + factor * slope, 0) for factor in result.factors[place]
        ]
        np.testing.assert_allclose(result.sweep[place], expected, atol=1e-4)
        difference = np.abs(
            drawn(start) - np.asarray(shifted.image[place]).reshape(SLICES, -1)
        ).reshape(SLICES, 4, 4)
        np.testing.assert_allclose(maps[place], difference / difference.max(), atol=1e-3)
    assert (result.shifted <= result.trace[:, 0]).all()


def test_grad_cam_of_a_slice_leaves_the_others_as_they_are():
    maps = explain(EXPLAINED, VOLUMES, SETTINGS, batch_size=3).maps[GRAD_CAM]
    for place, volume in enumerate(VOLUMES):
        # The logit's slope by a map of slice i is w_i times 3 or 2, over 16 pixels.
        image = volume[..., 0]
        weighted = WEIGHTS_OF_SLICES[:, None, None] * (3 * image + 2 * (1 - image)) / 16
        np.testing.assert_allclose(maps[place], np.maximum(weighted, 0), atol=1e-5)


def test_a_walk_goes_down_the_probability_and_keeps_its_lowest_point():
    result = walk(EXPLAINED, VOLUMES, 30.0, num_steps=STEPS, batch_size=3)
    for place, volume in enumerate(VOLUMES):
        latents = [descent(volume, 0, 0.0)[0]]
        for _ in range(STEPS):
            p = probability_of(latents[-1], 1)
            # The slope of log p is that of the cross-entropy with the other sign.
            latents.append(latents[-1] - 30.0 * p * -slope_of_cross_entropy(latents[-1], 1))
        probabilities = [probability_of(latent, 1) for latent in latents]
        np.testing.assert_allclose(result.trace[place], probabilities, atol=1e-3)
        lowest = latents[int(np.argmin(probabilities))]
        np.testing.assert_allclose(
            result.image[place].reshape(SLICES, -1), drawn(lowest), atol=1e-3
        )


class Gated(nnx.Module):
    """The toy classifier, whose evidence is multiplied by the mean of the map that it is given."""

    def __call__(self, volumes, saliency):
        return jax.vmap(lambda volume, given: given.mean() * toy_coder.classifier(volume))(
            volumes, saliency
        )


def test_a_network_that_takes_maps_keeps_each_scans_own_one_while_it_is_searched():
    maps = explain_network(Gated(), EXPLAINED, VOLUMES, SETTINGS, batch_size=3)
    for place, volume in enumerate(VOLUMES):
        given = np.mean(
            [change(descent(volume, target, QUOTIENT * ENTRIES)) for target in (0, 1)], axis=0
        )
        both = [
            change(descent(volume, target, QUOTIENT * ENTRIES, given.mean())) for target in (0, 1)
        ]
        np.testing.assert_allclose(maps[place], np.mean(both, axis=0), atol=2e-3)


def made_up_scans(*, located):
    """Eight scans, every other one with a finding."""
    images, labels = toy_coder.volumes(8, seed=5), np.arange(8) % 2
    facts = StoredFacts({"image": images, "lesion_mask": images[..., 0] > 0.9})
    others = (
        StoredFacts({"image": VOLUMES, "lesion_mask": VOLUMES[..., 0] > 0.8}) if located else None
    )
    groups = np.array([f"p{number // 2}" for number in range(8)])
    return Scans(
        "made up",
        images,
        labels,
        labels,
        ("no", "yes"),
        sides=False,
        facts=facts,
        note="",
        identity=None,
        groups=groups,
        located=others,
    )


@pytest.mark.parametrize("located", [True, False])
def test_detection_is_of_located_scans_or_of_the_tests_positive_ones(tmp_path, located):
    config = dataclasses.replace(
        SMOKE, search=SETTINGS, num_detected=3, num_shown=1, unbounded_steps=(), batch_size=3
    )
    scans, test = made_up_scans(located=located), np.array([7, 4, 1, 0, 3, 5])
    options = {"depends": 0, "depends_acat": 1}
    setup = Setup(config, scans, Workspace(tmp_path))
    result = detect(setup, EXPLAINED, Gated(), test, **options)
    searched = scans.images[[7, 1, 3]]  # the first three of the test with a finding
    explained = VOLUMES if located else searched
    expected = [
        [1 - probability_of(latent, 0) for latent in descent(volume, 0, QUOTIENT * ENTRIES)]
        for volume in searched
    ]
    np.testing.assert_allclose(result.traces.trace, expected, atol=1e-5)
    assert list(result.search_units) == ["p3", "p0", "p1"]
    assert list(result.units) == ([0, 1, 2] if located else ["p3", "p0", "p1"])
    for place, volume in enumerate(explained):
        mask = volume[..., 0] > (0.8 if located else 0.9)
        dice = volume_overlap(change(descent(volume, 0, QUOTIENT * ENTRIES)), mask).dice
        assert result.scores[OURS]["dice"][place] == pytest.approx(float(dice))
    given = explain_network(Gated(), EXPLAINED, explained, SETTINGS, batch_size=3)
    masks = explained[..., 0] > (0.8 if located else 0.9)
    np.testing.assert_allclose(result.scores[WITH_ACAT]["dice"], volume_overlap(given, masks).dice)
    assert result.is_known("kappa") and not result.is_known("hits")
    # Read from its files, without a search.
    again = detect(setup, None, Gated(), test, **options)
    np.testing.assert_array_equal(again.traces.trace, result.traces.trace)


def test_control_maps_say_nothing_of_their_scans():
    maps = np.random.default_rng(0).random((5, 2, 3, 3, 1)).astype(np.float32)
    zero, shuffled, noise = (
        ControlMaps(source, maps, np.arange(5), seed=0) for source in (ZERO, SHUFFLED, NOISE)
    )
    everything = np.arange(5)
    assert not zero[everything].any() and zero[0].shape == (2, 3, 3, 1)
    assert not any(
        np.array_equal(one, other) for one, other in zip(maps, shuffled[everything], strict=True)
    )
    np.testing.assert_array_equal(
        np.sort(maps.reshape(5, -1)[:, 0]), np.sort(shuffled[everything].reshape(5, -1)[:, 0])
    )
    drawn_noise = noise[everything]
    assert drawn_noise.shape == maps.shape and drawn_noise.dtype == np.float32
    assert 0 <= drawn_noise.min() < drawn_noise.max() <= 1
    np.testing.assert_array_equal(noise[3], drawn_noise[3])
    np.testing.assert_array_equal(noise[np.array([4, 1])], drawn_noise[[4, 1]])
    assert len(noise) == 5 and not np.array_equal(drawn_noise[0], drawn_noise[1])


def test_maps_change_places_among_scans_that_have_one():
    maps = np.zeros((6, 1, 2, 2, 1), np.float32)
    used = np.array([1, 2, 5])
    maps[used] = used[:, None, None, None, None]
    numbers = ControlMaps(SHUFFLED, maps, used, seed=0)[used][:, 0, 0, 0, 0]
    assert sorted(numbers) == [1, 2, 5] and not (numbers == used).any()


def test_every_scan_is_explained_and_scored_with_its_own_facts():
    territories = np.array([1, 2, 2])
    atlas = np.broadcast_to(np.where(np.arange(4) < 2, 1, 2), (3, SLICES, 4, 4)).astype(np.uint8)
    facts = StoredFacts(
        {"image": VOLUMES, "atlas": atlas, "organ": atlas > 0, "territory": territories}
    )
    options = {"num_shown": 2, "unbounded_steps": (30.0,), "batch_size": 3}
    config = dataclasses.replace(SMOKE, search=SETTINGS, **options)
    arrays = explain_all(EXPLAINED, facts, config)
    for place, volume in enumerate(VOLUMES):
        saliency = change(descent(volume, 0, QUOTIENT * ENTRIES))
        expected = atlas[place].ravel()[saliency.argmax()] == territories[place]
        assert arrays[f"{OURS}/hits"][place] == expected
    np.testing.assert_array_equal(arrays[f"{CONSTANT}/hits"], [0, 1, 1])
    np.testing.assert_allclose(arrays[f"{OURS}/likeness"], 1)
    assert arrays["trace"].shape == (3, STEPS + 1) and np.isnan(arrays[f"{OURS}/kappa"]).all()
    assert arrays["shown/maps"].shape == (2, len(METHODS), 4, 4)
    assert arrays["shown/walks"].shape == (2, 1, 4, 4)
    # Without a mask the middle slice is shown, and maps are means over slices.
    np.testing.assert_array_equal(arrays["shown/slices"], [1, 1])
    np.testing.assert_array_equal(arrays["shown/image"], VOLUMES[:2, 1, :, :, 0])
    ours = change(descent(VOLUMES[1], 0, QUOTIENT * ENTRIES))
    np.testing.assert_allclose(
        arrays["shown/maps"][1, METHODS.index(OURS)], ours.mean(axis=0), atol=1e-3
    )
