"""What is no set, generator, source, text or flag is refused by the argument's name."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from cfx_jax.attributions import (
    integrated_gradients,
    path_attribution_along,
    perceptual_objective,
)
from cfx_jax.counterfactuals import (
    check_reconstruction,
    class_1_probability,
    decided_class,
    find_unexplainable,
    latent_counterfactual,
    progressive,
    syce_latent_path,
    xgem,
)
from cfx_jax.data import (
    hounsfield_units,
    labels_of,
    merge_groups,
    open_images,
    random_volume_flip,
    read_dicom,
    read_nifti,
    resample_volume,
    resize_labels,
    resize_slices,
    shared_copies,
    slice_indices,
    to_native_grid,
    unit_slices,
    unit_window,
)
from cfx_jax.diagnosis import diagnose, generator_answers
from cfx_jax.errors import InputError
from cfx_jax.explain import automatic_radius, explain
from cfx_jax.geometry import box, lp_ball_in_box, lp_norm
from cfx_jax.image_registration import register, warp
from cfx_jax.losses import (
    cross_entropy,
    discriminator_terms,
    inverse_frequency,
    kl_divergence,
    ordinal_code,
    total_variation,
    trades_attack,
    trades_loss,
)
from cfx_jax.maps import min_max, quantile_threshold, smooth, upsample
from cfx_jax.metrics import (
    bootstrap_interval,
    dice,
    gaussian_distance,
    interval_over_runs,
    macro_average,
    mean_and_standard_error,
    paired_difference_interval,
    paired_test,
    psnr_of_mse,
    relevance_score,
    score_exaggerations,
    temperature_at_edge,
)
from cfx_jax.models import calibrated, extract_features, one_label, thresholded, two_logits
from cfx_jax.objectives import decision, negative_log_probability, negative_margin
from cfx_jax.optimise import (
    auto_frank_wolfe,
    best_so_far,
    from_optax,
    gradient_descent,
    proximal_gradient,
    run,
    soft_threshold,
)
from cfx_jax.parallel import map_examples
from cfx_jax.report import AnimationPanel, animate, format_table, signed_colours, verdict

IMAGE = np.full((4, 4, 1), 0.5, np.float32)
SET = lp_ball_in_box(jnp.asarray(IMAGE), 0.1, 2)
CODER = SimpleNamespace(encode=lambda x: 2 * x, decode=lambda z: z / 2)
DESCENT = gradient_descent(num_steps=1, step_size=0.1)
KEY = jax.random.key(0)
MASKS = np.ones((1, 2, 2), bool)
PANELS = [AnimationPanel(frames=np.zeros((2, 4, 4, 1), np.float32), title="a")]


def classifier(image):
    return jnp.stack([0.5, image.mean()])


REFUSED = {
    "image: expected an array": lambda: decided_class(classifier, None),
    "image: expected an array of NumPy or JAX, got list": lambda: class_1_probability(
        classifier, [1.0]
    ),
    "classifier: expected a function": lambda: class_1_probability(None, IMAGE),
    "classifier: expected a function of one image": lambda: negative_log_probability(None, 1),
    "classifier: expected a function of one image -> logits": lambda: negative_margin(None, 1),
    "coders: expected g_0 and g_1": lambda: syce_latent_path(None, classifier, IMAGE),
    "explainer.encode: expected a function": lambda: progressive(None, classifier, IMAGE),
    "reconstruction: expected real numbers, got dtype complex64": lambda: check_reconstruction(
        IMAGE, IMAGE + 0j, minimum_psnr=3
    ),
    "first: expected what gaussian_of gives": lambda: gaussian_distance(IMAGE, IMAGE),
    "mse: expected a real number, got 'a'": lambda: psnr_of_mse("a"),
    "temperature: expected a real number": lambda: temperature_at_edge(None),
    "overlap: expected a function of two masks": lambda: macro_average("dice", MASKS, MASKS),
    "explained: expected arrays by name": lambda: score_exaggerations(None, np.array([0, 1])),
    "constraint: expected a set": lambda: auto_frank_wolfe(IMAGE, num_steps=1),
    "update_mask: expected an array": lambda: auto_frank_wolfe(SET, num_steps=1, update_mask="a"),
    "project: expected a function": lambda: gradient_descent(
        num_steps=1, step_size=0.1, project=SET
    ),
    "proximal: expected a function": lambda: proximal_gradient(
        None, jnp.abs, num_steps=1, step_size=0.1
    ),
    "transformation.init: expected a function of optax": lambda: from_optax(0.1, num_steps=1),
    "algorithm: expected an algorithm": lambda: best_so_far(None),
    "paths: expected a path, or paths in a list, got None": lambda: open_images(None),
    "groups: expected a text or None, got []": lambda: open_images("a", groups=[]),
    "classes: expected texts in a list, got 'ab'": lambda: open_images("a", classes="ab"),
    "classes: expected texts in a list, got {": lambda: open_images("a", classes={"b", "a"}),
    "labelled: expected True or False, got 'no'": lambda: open_images("a", labelled="no"),
    "channels: expected one of None, 1, 3, got True": lambda: open_images("a", channels=True),
    "copies: expected places in 0..0, got 3": lambda: merge_groups(np.array(["a"]), [3]),
    "groups: expected one for each of 2 images": lambda: merge_groups(np.array(["a"]), [0, 0]),
    "parts: expected positions by name": lambda: shared_copies(np.array([0]), None),
    "parts: test: expected places in 0..0, got 1": lambda: shared_copies([0], {"test": [1]}),
    "source: expected a source of cfx_jax.data, got NoneType": lambda: labels_of(None),
    "horizontal: expected True or False": lambda: random_volume_flip(horizontal=1, vertical=False),
    "volume: expected a volume, as of read_nifti": lambda: resample_volume(IMAGE, shape=(1, 1, 1)),
    "path: expected a path, got NoneType": lambda: read_nifti(None),
    "path: expected a path, got bytes": lambda: read_dicom(b"a.dcm"),
    "path: expected a path, got float": lambda: animate(1.5, PANELS),
    "blurs: expected at least one number in a list, got 2.0": lambda: register(
        IMAGE, IMAGE, blurs=2.0, num_frequencies=2
    ),
    "num_slices: expected": lambda: slice_indices(None, 2),
    "volume: expected an array": lambda: resize_slices([[[1.0]]], (2, 2)),
    "size: expected (height, width) in pixels": lambda: resize_labels(
        np.zeros((1, 2, 2), int), None
    ),
    "indices: expected whole numbers": lambda: to_native_grid(
        np.zeros((1, 2, 2), np.float32), [0.5], (2, 2, 2)
    ),
    "shape: expected three whole numbers": lambda: to_native_grid(
        np.zeros((1, 2, 2), np.float32), [0], None
    ),
    "low: expected a real number": lambda: unit_window(np.zeros((1, 2, 2)), None, 1),
    "volume: expected an array of NumPy": lambda: hounsfield_units(None),
    "array: expected an array": lambda: unit_slices(None),
    "num_resamples: expected an integer of at least 100, got 10": lambda: bootstrap_interval(
        np.arange(5.0), num_resamples=10
    ),
    "num_resamples: expected an integer of at least 100, got None": lambda: paired_test(
        np.arange(5.0), np.arange(5.0), num_resamples=None
    ),
    "unknown statistic []": lambda: bootstrap_interval(np.arange(5.0), statistic=[]),
    "runs: expected one array for each training": lambda: interval_over_runs(None),
    "ddof: expected one of 0, 1, got True": lambda: mean_and_standard_error([0.1, 0.2], ddof=True),
    "labels: expected one for each of 2 rows": lambda: cross_entropy(jnp.zeros((2, 3)), 0),
    "labels: expected integers (n,)": lambda: inverse_frequency([0.5], 2),
    "beta: expected a real number": lambda: trades_loss(
        jnp.zeros((1, 2)), jnp.zeros((1, 2)), jnp.array([0]), beta=None
    ),
    "other_logits: expected the shape of logits": lambda: kl_divergence(
        jnp.zeros((1, 2)), jnp.zeros((5, 2))
    ),
    "key: expected": lambda: trades_attack(None, classifier, IMAGE, radius=1.0, num_steps=1),
    "bins: expected an array": lambda: ordinal_code(2, 5),
    "maps: expected an array of 4 axes": lambda: total_variation(np.zeros(3, np.float32)),
    "center: expected the shape of x": lambda: soft_threshold(IMAGE, IMAGE[:2], 1.0),
    "classifier: expected a function of one image -> two logits": lambda: thresholded(None, 0.5),
    "network: expected a function of one image -> one logit": lambda: two_logits(None),
    "network: expected a function of one image -> the logits": lambda: one_label(None, 1),
    "classifier: expected a function of one image -> logits (k,)": lambda: calibrated("a", 1.0),
    "fn: expected a function": lambda: map_examples(None, 1.0, IMAGE[None]),
    "algorithm: expected an algorithm, as of apgd, got None": lambda: run(None, jnp.sum, IMAGE),
    "objective: expected a function": lambda: run(DESCENT, None, IMAGE),
    "x0: expected an array": lambda: run(DESCENT, jnp.sum, None),
    "stop_below: expected a real number": lambda: run(DESCENT, jnp.sum, IMAGE, stop_below="a"),
    "discriminator: expected a function": lambda: discriminator_terms(
        KEY, None, IMAGE[None], IMAGE[None]
    ),
    "values: expected a real number, got None": lambda: signed_colours(None, scale=1.0),
    "an interval is (estimate, low, high), got None": lambda: verdict(None, minimum=0),
    "minimum: expected a real number": lambda: verdict((0.3, 0.2, 0.4), minimum="a"),
    "columns: expected texts": lambda: format_table([1.0], [[1.0]]),
    "shape: expected whole numbers": lambda: automatic_radius(None, 2.0),
    "labels: expected True or False": lambda: read_nifti("a.nii", labels="no"),
    "columns: expected several in a list, got str": lambda: format_table("ab", [[1, 2]]),
    "rows: expected lists of cells in a list, got NoneType": lambda: format_table(["a"], None),
    "digits: expected a number, or numbers by column, got None": lambda: format_table(
        ["a"], [[1.0]], digits=None
    ),
    "captions: expected texts in a list, got 'a'": lambda: animate("a.gif", PANELS, captions="a"),
    "height: expected an integer": lambda: animate("a.gif", PANELS, height=40.5),
    "frame_ms: expected a real number": lambda: animate("a.gif", PANELS, frame_ms=None),
    "displacement: expected real numbers, got dtype complex64": lambda: warp(
        IMAGE, np.zeros((4, 4, 2), np.complex64)
    ),
    "extractor.extract: expected a function": lambda: extract_features(None, IMAGE[None]),
    "explain: expected a function of one image": lambda: generator_answers(
        None, classifier, IMAGE[None]
    ),
    "notes: expected texts in a list, got 'a'": lambda: explain(
        classifier, IMAGE[None], methods=["gradient"], notes="a"
    ),
    "radii: expected shares in a list, got None": lambda: explain(
        classifier, IMAGE[None], methods=["vce"], radii=None
    ),
    "proximal: expected True or False": lambda: latent_counterfactual(
        CODER, classifier, IMAGE, 1, proximal=np.zeros(0)
    ),
    "until: expected a value between 0 and 1, got 1": lambda: xgem(
        CODER, classifier, IMAGE, gradient_descent(num_steps=1, step_size=0.1), until=1
    ),
    "images: expected an array of NumPy or JAX, got NoneType": lambda: find_unexplainable(
        CODER, None, minimum_psnr=20
    ),
    "multiply_by_inputs: expected True or False": lambda: integrated_gradients(
        jnp.sum, IMAGE, multiply_by_inputs=np.zeros(0)
    ),
    "decode: expected a function of one latent": lambda: path_attribution_along(
        jnp.sum, None, IMAGE, IMAGE
    ),
    "latent_end: expected an array of NumPy or JAX, got str": lambda: path_attribution_along(
        jnp.sum, CODER.decode, IMAGE, "a"
    ),
    "target_margin: expected one number": lambda: perceptual_objective(
        jnp.sum, CODER.encode, IMAGE, target_margin=[]
    ),
    "p: expected a norm": lambda: lp_norm(IMAGE, None),
    "p: expected at most 2147483647": lambda: lp_norm(IMAGE, 10**30),
    "saliency: expected real numbers, got dtype bool": lambda: min_max(MASKS[0]),
    "lower: expected an array": lambda: box(None, IMAGE),
    "center: expected a real number, got None": lambda: soft_threshold(IMAGE, None, 1.0),
    "saliency: expected a map with pixels, got shape (0,)": lambda: min_max(np.zeros(0)),
    "saliency: expected a map with pixels, got shape (0, 4)": lambda: smooth(
        np.zeros((0, 4), np.float32), sigma=1.0
    ),
    "mask: expected booleans, got float32": lambda: quantile_threshold(
        IMAGE[..., 0], 0.5, mask=IMAGE[..., 0]
    ),
    "size: expected (height, width)": lambda: upsample(IMAGE[..., 0], None),
    "logits: expected an array of NumPy or JAX, got list": lambda: decision([0.0, 1.0]),
    "predicted: expected a mask of 0 and 1": lambda: dice(MASKS + 0j, MASKS),
    "image: expected real numbers, got dtype complex64": lambda: decided_class(
        classifier, IMAGE + 0j
    ),
    "values must be real numbers, got dtype <U3": lambda: paired_difference_interval(
        np.array(["0.1", "0.2"]), np.zeros(2)
    ),
    "seed: expected 0 or more, got 'a'": lambda: bootstrap_interval(np.arange(5.0), seed="a"),
    "degradation: expected": lambda: relevance_score(["0.1"], ["0.2"]),
    "strict: expected True or False": lambda: verdict((0.3, 0.2, 0.4), minimum=0, strict="no"),
    "update_mask: expected booleans": lambda: auto_frank_wolfe(SET, num_steps=1, update_mask=IMAGE),
    "folder: expected a path, got int": lambda: explain(
        classifier, IMAGE[None], methods=["gradient"], folder=3
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_an_argument_of_another_kind_is_refused_by_its_name(message):
    with pytest.raises(InputError) as caught:
        REFUSED[message]()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "images", [np.ma.masked_less(IMAGE[None], 0.1), IMAGE[None].astype(">f4"), None]
)
def test_a_diagnosis_says_of_other_arrays_that_it_cannot_use_them(images):
    (finding,) = diagnose(classifier, images)
    assert (finding.name, finding.severity) == ("images", "error")


def test_the_norm_of_whole_numbers_is_that_of_floats_and_of_nothing_0():
    assert float(lp_norm(np.array([3, -4]), 2)) == 5.0
    assert float(lp_norm(np.zeros(0, np.float32), 2)) == 0.0


def test_paths_may_come_from_a_glob_and_texts_in_an_array(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((4, 4), 9, np.uint8)).save(tmp_path / name / "1.png")
    images = open_images(tmp_path.glob("*"), classes=np.array(["a", "b"]))
    assert sorted(images.labels.tolist()) == [0, 1]
