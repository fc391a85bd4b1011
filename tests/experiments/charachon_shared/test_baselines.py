"""The baselines of Charachon's experiments as wired, against closed forms and the library.

And the moves of the images, against the published ranges.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.tree_util import Partial
from scipy import stats
from scipy.special import expit
from small_classifiers import images, linear_classifier

from cfx_jax.attributions import AugmentationRanges, mask_perturbation, perceptual_perturbation
from cfx_jax.maps import smooth
from cfx_jax.models import Parts, ResNet, per_image
from cfx_jax.objectives import class_score, decision, negative_margin
from experiments.charachon_shared import (
    BBMP,
    GRAD_CAM,
    GRADIENT,
    INPUT_GRADIENT,
    INTEGRATED_GRADIENTS,
    PERCEPTUAL,
    SMOOTH_GRAD,
    CharachonConfig,
    MaskMaker,
    Method,
    Network,
    Setup,
    averaging_ranges,
    baselines,
    make_maps,
    training_augmentation,
)
from experiments.charachon_shared.baselines import first_activations
from experiments.shared import ImageSet, StoredImages, Workspace

COUNT, SIZE = 6, 8
SHOWN = images(COUNT)
SLOPES = np.broadcast_to(
    np.linspace(1, -1, SIZE)[None, :, None], (SIZE, SIZE, 1)
)  # of the linear classifier's logit 1
SCORES = (SLOPES * SHOWN).sum((1, 2, 3))
LOG_ODDS = 2 * SCORES
CONFIG = CharachonConfig(
    image_size=SIZE,
    num_nodes=200,
    num_samples=2000,
    num_perturbation_steps=3,
    num_perceptual_steps=3,
    batch_size=4,
)


def _maps_of_image(image):
    """Two feature maps of full resolution, so that nothing is upsampled."""
    return jnp.concatenate([image, jnp.square(image)], axis=-1)


WEIGHTS = np.array([1.0, -1.5], np.float32)
OFFSET = float(-(SHOWN.mean() - 1.5 * np.square(SHOWN).mean()))


def _head(features):
    """The logits (0, z) of a network with one logit."""
    return jnp.stack([jnp.zeros(()), features.mean((0, 1)) @ WEIGHTS + OFFSET])


def network(model=None):
    classifier = Partial(linear_classifier) if model is None else per_image(model)
    parts = Parts(Partial(_maps_of_image), Partial(_head))
    return Network(model, classifier, parts, np.zeros((COUNT, 2)), None, "made up")


def found(name, workspace, *, model=None, config=CONFIG):
    setup = Setup(config, None, network(model), Workspace(workspace))
    masks = MaskMaker(Partial(_first), "made up")
    methods = {method.name: method for method in baselines(setup, masks)}
    shown = ImageSet.whole(
        StoredImages({"image": SHOWN, "label": np.zeros(COUNT, int)}, ("healthy", "sick")),
        "made up",
    )
    return make_maps(methods[name], shown, setup).values


def _first(image):
    return image


def test_both_classes_are_explained_here():
    assert {True, False} == set((SCORES >= 0).tolist())


def test_gradients_are_those_of_the_log_odds(tmp_path):
    slopes = np.abs(2 * SLOPES)[..., 0]
    np.testing.assert_allclose(
        found(GRADIENT, tmp_path), np.broadcast_to(slopes, (COUNT, SIZE, SIZE)), rtol=1e-5
    )
    np.testing.assert_allclose(found(INPUT_GRADIENT, tmp_path), slopes * SHOWN[..., 0], rtol=1e-5)


def test_smooth_grad_is_the_mean_gradient_of_the_probability_under_the_noise(tmp_path):
    # Noise of 0.15 on each pixel moves the log-odds by a normal of this deviation.
    deviation = 0.15 * 2 * np.sqrt(np.square(SLOPES).sum())
    quantiles = stats.norm.ppf((np.arange(4000) + 0.5) / 4000) * deviation
    slope = (expit(LOG_ODDS[:, None] + quantiles) * expit(-LOG_ODDS[:, None] - quantiles)).mean(
        axis=1
    )
    wanted = slope[:, None, None] * np.abs(2 * SLOPES)[..., 0]
    np.testing.assert_allclose(found(SMOOTH_GRAD, tmp_path), wanted, rtol=0.1)


def test_integrated_gradients_share_out_the_change_from_black(tmp_path):
    change = expit(LOG_ODDS) - 0.5  # black has log-odds of 0
    wanted = np.abs(SLOPES * SHOWN * (change / SCORES)[:, None, None, None])[..., 0]
    np.testing.assert_allclose(found(INTEGRATED_GRADIENTS, tmp_path), wanted, rtol=1e-3, atol=1e-6)


def test_grad_cam_explains_class_0_by_the_falling_logit(tmp_path):
    logits = SHOWN[..., 0].mean((1, 2)) - 1.5 * np.square(SHOWN[..., 0]).mean((1, 2)) + OFFSET
    signs = np.where(logits >= 0, 1.0, -1.0)
    assert set(signs) == {1.0, -1.0}
    weighted = SHOWN[..., 0] - 1.5 * np.square(SHOWN[..., 0])
    # The mean over 64 positions gives each the slope of a 64th; the two logits -z and z are twice
    # as far apart.
    wanted = np.maximum(signs[:, None, None] * 2 * weighted / SIZE**2, 0)
    values = found(GRAD_CAM, tmp_path)
    np.testing.assert_allclose(values / values.max(), wanted / wanted.max(), atol=1e-5)
    assert (values.max((1, 2)) > 0).all()


def test_bbmp_hides_what_the_decided_class_needs_with_the_published_numbers_at_224(tmp_path):
    config = dataclasses.replace(CONFIG, image_size=32)
    scale = 32 / 224
    values = found(BBMP, tmp_path, config=config)
    for row in (np.argmin(LOG_ODDS), np.argmax(LOG_ODDS)):
        image, logit, made = SHOWN[row], LOG_ODDS[row], values[row]
        score = class_score(linear_classifier, int(logit >= 0), of="probability")
        wanted = mask_perturbation(
            score, jnp.asarray(image), blur_sigma=5 * scale, mask_sigma=3 * scale, num_steps=3
        )
        np.testing.assert_allclose(made, wanted, atol=1e-5)
    assert values.max() > 0


def test_the_perceptual_perturbation_keeps_the_blocks_activations_and_turns_the_decision(tmp_path):
    model = ResNet(
        block="basic",
        stage_sizes=(1,),
        widths=(4,),
        num_classes=2,
        in_channels=1,
        stem="patch",
        rngs=nnx.Rngs(0),
    )
    values, classifier = found(PERCEPTUAL, tmp_path, model=model), per_image(model)
    image = jnp.asarray(SHOWN[1])
    change = perceptual_perturbation(
        negative_margin(classifier, decision(classifier(image))),
        lambda x: first_activations(model, x),
        image,
        num_steps=3,
        optimiser=optax.adam(1e-3),
    )
    wanted = smooth(jnp.abs(change[..., 0]), sigma=2 * SIZE / 224)
    np.testing.assert_allclose(values[1], wanted, rtol=1e-4, atol=1e-6)
    assert values[1].max() > 0


def test_maps_of_many_images_are_those_of_each_and_every_batch_is_timed(tmp_path):
    shown = ImageSet.whole(
        StoredImages({"image": SHOWN, "label": np.zeros(COUNT, int)}, ("healthy", "sick")),
        "made up",
    )
    for size, timings in ((4, 2), (5, 2), (2, 3), (9, 1)):
        config = dataclasses.replace(CONFIG, batch_size=size)
        setup = Setup(config, None, None, Workspace(tmp_path / str(size)))
        made = make_maps(Method("red", _red, None, "made up"), shown, setup)
        np.testing.assert_array_equal(made.values, SHOWN[..., 0])
        assert made.timings.shape == (timings,) and made.timings.min() > 0
        assert made.seconds == np.median(made.timings)


def _red(shared, image):
    del shared
    return image[..., 0]


def _moves(augmentation, *, size=48, count=300):
    """Angle in degrees, factors along rows and columns, shifts in pixels and whether upside down,
    of many draws.

    The channels of the moved image are the coordinates of its pixels in the image before, which
    tells the move."""
    transform = training_augmentation(CharachonConfig(image_size=size, augmentation=augmentation))
    rows, columns = np.mgrid[:size, :size] / (size - 1)
    image = np.stack([columns, rows, np.ones((size, size))], axis=-1).astype(np.float32)
    rng, centre, found = np.random.default_rng(0), (size - 1) / 2, []
    for _ in range(count):
        moved = np.asarray(transform(image, rng), np.float64)
        y, x = np.nonzero(moved[..., 2] > 0.999)  # what came from inside of the image
        places = np.stack([x - centre, y - centre, np.ones(len(x))], axis=1)
        before = moved[y, x, :2] * (size - 1) - centre
        matrix = np.linalg.lstsq(places, before, rcond=None)[0].T  # before = matrix @ place
        down = np.linalg.det(matrix[:, :2]) < 0
        forward = np.linalg.inv(matrix[:, :2] @ np.diag([1, -1 if down else 1]))
        factor = np.sqrt(np.linalg.det(forward))
        shift = -forward @ matrix[:, 2]
        found.append([np.degrees(np.arctan2(forward[1, 0], forward[0, 0])), factor, *shift, down])
    return np.array(found).T


def test_training_moves_have_the_ranges_of_table_ii():
    angle, factor, across, along, down = _moves("published")
    largest = 10 * 48 / 224
    for values, low, high in (
        (angle, -5, 5),
        (1 / factor, 0.9, 1),
        (across, -largest, largest),
        (along, -largest, largest),
    ):
        tolerance = 0.02 * (high - low)
        assert low - tolerance <= values.min() <= low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) <= values.max() <= high + tolerance
    assert 0.4 < down.mean() < 0.6


def test_averaging_has_the_ranges_of_table_ii():
    ranges = averaging_ranges(CharachonConfig(image_size=224, augmentation="published"))
    assert (ranges.rotation, ranges.height_shift, ranges.width_shift, ranges.zoom) == (
        5,
        10,
        10,
        (0.9, 1.0),
    )
    assert (ranges.horizontal_flip, ranges.vertical_flip) == (True, True)
    assert ranges == AugmentationRanges()


@pytest.mark.parametrize("name", [GRADIENT, GRAD_CAM])
def test_maps_do_not_depend_on_other_images(name, tmp_path):
    whole = found(name, tmp_path / "whole")
    alone = found(name, tmp_path / "alone", config=dataclasses.replace(CONFIG, batch_size=1))
    np.testing.assert_allclose(alone, whole, atol=1e-6)
