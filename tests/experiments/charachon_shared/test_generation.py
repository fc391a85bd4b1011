"""What Charachon's experiments share: images and their split, maps, localisation, what is wrong."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from image_folders import write_folder
from jax.tree_util import Partial
from radiology_layouts import write_msd, write_rsna
from safetensors.numpy import save_file
from scipy import stats
from small_classifiers import images, linear_classifier

from cfx_jax.attributions import AugmentationRanges
from cfx_jax.counterfactuals import SimilarAdversarial
from cfx_jax.errors import InputError
from cfx_jax.models import FindingClassifier, build, parts, per_image, torchvision_name
from experiments.charachon_shared import (
    GRADIENT,
    MASK_GENERATOR,
    RANDOM,
    CharachonConfig,
    Data,
    Groups,
    MaskMaker,
    Method,
    Network,
    Setup,
    averaged_method,
    averaging_ranges,
    baselines,
    check_pairs,
    describe_brackets,
    find_annotated,
    load_images,
    localise,
    make_maps,
    measure_quality,
    pair_method,
    training_augmentation,
)
from experiments.charachon_shared import classifier as classifiers
from experiments.charachon_shared.baselines import first_activations
from experiments.charachon_shared.classifier import auc_interval, check_decides_both
from experiments.shared import ImageSet, StoredImages, Workspace, keep_notices
from experiments.similar_adversarial.boxes import find_boxes
from trainers import Inputs, RunSettings
from trainers.classifier import Config as ClassifierConfig

CONFIG = CharachonConfig(image_size=32, num_images=60, num_explained=3, batch_size=4)


def stored(arrays, origin="made up"):
    return ImageSet.whole(StoredImages(arrays, ("healthy", "sick")), origin)


def data_of(arrays, annotation="lesion_mask"):
    part = stored(arrays)
    return Data(part, part, part, part.class_names, annotation, "")


def network_of(logits, classifier=linear_classifier):
    return Network(None, classifier, None, np.asarray(logits), None, "linear")


@pytest.mark.parametrize(
    ("world", "annotation"), [("chest", "annotation_mask"), ("brain", "lesion_mask")]
)
def test_a_world_is_drawn_once_and_split_without_overlap(world, annotation, tmp_path):
    workspace, config = Workspace(tmp_path), dataclasses.replace(CONFIG, data=world)
    data = load_images(config, workspace)
    parts = [data.train.indices, data.validation.indices, data.test.indices]
    assert sorted(np.concatenate(parts).tolist()) == list(range(60))
    assert data.annotation == annotation and {annotation, "counterfactual"} <= set(data.test.arrays)
    again = load_images(config, workspace)
    np.testing.assert_array_equal(again.test.arrays["image"], data.test.arrays["image"])
    assert len(list(tmp_path.rglob("arrays.npz"))) == 1


def test_a_folder_has_no_annotation(tmp_path):
    write_folder(tmp_path / "photos", count=10)
    data = load_images(
        dataclasses.replace(CONFIG, data=f"folder:{tmp_path / 'photos'}"), Workspace(tmp_path / "w")
    )
    assert data.annotation is None and data.class_names == ("glad", "sad")
    assert set(data.test.arrays) == {"image", "label"}


def test_a_folder_with_copies_is_split_by_label_and_has_pictures_but_no_patients(tmp_path):
    folder = write_folder(tmp_path / "photos", count=30)
    for number in range(10):
        (folder / "sad" / f"copy{number}.png").write_bytes(
            (folder / "sad" / f"{number}.png").read_bytes()
        )
    config = dataclasses.replace(CONFIG, data=f"folder:{folder}", validation=0.2, test=0.5)
    data = load_images(config, Workspace(tmp_path / "w"))
    # Of 30 and 40 images: within one picture and its copy of the shares of either label.
    for part, share in ((data.train, 0.3), (data.validation, 0.2), (data.test, 0.5)):
        assert np.abs(np.bincount(part.labels) - share * np.array([30, 40])).max() <= 2
    assert (
        data.groups.names is not None
        and data.test.patients is None
        and data.groups.unit == "different images"
    )
    assert describe_brackets(data).endswith("over different images.")
    pictures = [
        set(part.source.copies[part.indices]) for part in (data.train, data.validation, data.test)
    ]
    assert sum(map(len, pictures)) == 60


def test_radiographs_are_split_by_image_and_marked_by_boxes(tmp_path):
    kinds = [("Normal", []), ("Lung Opacity", [(20.0, 20.0, 40.0, 40.0)])]
    write_rsna(
        tmp_path / "raw", {f"{number:08x}": kinds[number % 2] for number in range(12)}, side=64
    )
    config = dataclasses.replace(
        CONFIG, data=f"rsna:{tmp_path / 'raw'}", validation=0.25, test=0.25
    )
    data = load_images(config, Workspace(tmp_path / "w"))
    assert len(data.train) + len(data.validation) + len(data.test) == 12
    assert data.groups.names is None and data.annotation == "annotation_mask"
    assert (
        data.test.arrays["annotation_mask"].any((1, 2)).tolist() == (data.test.labels == 1).tolist()
    )
    boxes = find_boxes(data.test, "annotation_mask")
    assert boxes.drawn and len(boxes.height) == (data.test.labels == 1).sum()
    assert set(boxes.height) == set(boxes.width) == {20} and set(boxes.area) == {
        100 * 20**2 / 32**2
    }


def test_slices_are_split_by_patient(tmp_path):
    write_msd(tmp_path / "raw", [f"BRATS_{number:03d}" for number in range(4)])
    config = dataclasses.replace(CONFIG, data=f"msd:{tmp_path / 'raw'}", validation=0.25, test=0.25)
    data = load_images(config, Workspace(tmp_path / "w"))
    whose = [
        set(part.source.patients[part.indices]) for part in (data.train, data.validation, data.test)
    ]
    assert [len(each) for each in whose] == [2, 1, 1] and len(set.union(*whose)) == 4
    assert (
        set(data.groups.names) == whose[2]
        and len(data.groups.names) == len(data.test)
        and data.groups.unit == "patients"
    )
    assert data.annotation == "lesion_mask"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data": "moon"},
            "--data: expected 'chest', 'brain', 'rsna:PATH', 'msd:PATH', 'folder:PATH' or"
            " 'csv:PATH', got 'moon'",
        ),
        ({"data": "rsna:"}, "--data: expected 'chest'"),
        ({"validation": 0.5, "test": 0.5}, "--validation, --test: expected a sum below 1, got 1"),
        ({"classes": ("a", "b")}, "--classes: expected none with --data brain"),
        ({"num_images": 6, "validation": 0.2}, "part has . images and none of class"),
    ],
)
def test_unusable_images_are_refused(changes, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load_images(dataclasses.replace(CONFIG, **changes), Workspace(tmp_path))


def test_explained_are_the_first_annotated_images_of_the_finding():
    mask = np.zeros((6, 8, 8), bool)
    mask[[1, 2, 4, 5], 2, 2] = True
    data = data_of({"image": images(6), "label": np.array([1, 1, 0, 1, 1, 1]), "lesion_mask": mask})
    assert find_annotated(CONFIG, data).tolist() == [1, 4, 5]
    with pytest.raises(
        InputError,
        match=r"--num-explained: expected at least two annotated test images, got 3 of which 1",
    ):
        find_annotated(dataclasses.replace(CONFIG, num_explained=1), data)


def test_a_classifier_of_one_class_is_found_and_named():
    check_decides_both(np.array([[0.0, 1.0], [1.0, 0.0]]), ("healthy", "sick"))
    with pytest.raises(
        InputError, match=r"expected decisions for both classes.*got 'sick' for all 2"
    ):
        check_decides_both(np.array([[0.0, 1.0], [0.0, 2.0]]), ("healthy", "sick"))


def test_the_area_of_a_perfect_score_is_one_and_that_of_one_class_undefined():
    logits, truth = np.array([[0, -2], [0, -1], [0, 1], [0, 2.0]]), np.array([0, 0, 1, 1])
    assert auc_interval(logits, truth == 1, Groups()).estimate == 1
    assert np.isnan(auc_interval(logits, truth == 2, Groups()).estimate)


def test_the_interval_of_an_area_is_of_draws_with_both_classes():
    # One positive above 8 of 10 others: with it in every draw the area is the mean of ten 0s and 1s
    # drawn again.
    scores, truth = np.array([*range(8), 9, 10, 8]), np.arange(11) == 10
    found = auc_interval(np.stack([np.zeros(11), scores], axis=1), truth, Groups())
    low, high = stats.binom.ppf([0.025, 0.975], 10, 0.8) / 10
    assert found.estimate == 0.8 and found[1:] == pytest.approx((low, high), abs=0.1)
    scores = np.stack([np.zeros(80), np.arange(80)], axis=1)
    perfect = auc_interval(scores, np.arange(80) >= 40, Groups())
    assert perfect.estimate == perfect.high == 1 and perfect.low == pytest.approx(
        40 / (40 + 1.96**2), abs=1e-3
    )
    # Patients of two images each: as many draws, fewer units, a wider interval.
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(60) % 2, 2) == 1
    logits = np.stack([np.zeros(120), np.repeat(rng.normal(size=60), 2) + truth], axis=1)
    alone, together = (
        auc_interval(logits, truth, Groups(names)) for names in (None, np.arange(120) // 2)
    )
    assert together.high - together.low > 1.2 * (alone.high - alone.low)


def test_averaging_flips_as_training_does():
    assert training_augmentation(dataclasses.replace(CONFIG, augmentation="none")) is None
    ranges = {
        name: averaging_ranges(dataclasses.replace(CONFIG, augmentation=name))
        for name in ("none", "published")
    }
    assert not ranges["none"].horizontal_flip and ranges["published"].vertical_flip
    assert ranges["none"].height_shift == pytest.approx(10 * 32 / 224)


@pytest.mark.parametrize("head", ["linear", "finding"])
def test_a_classifier_starts_from_the_weights_of_a_file(head, monkeypatch, tmp_path):
    colours = build("resnet_small", num_classes=5, in_channels=3, rngs=nnx.Rngs(7))
    tensors = torchvision_tensors(colours)
    save_file(tensors, tmp_path / "imagenet.safetensors")
    trained = ClassifierConfig(
        model="resnet_small",
        weights=str(tmp_path / "imagenet.safetensors"),
        run=RunSettings(num_steps=1, batch_size=2, evaluate_every=1),
    )
    monkeypatch.setattr("experiments.shared.training.train", _start_alone)
    config = dataclasses.replace(CONFIG, head=head, classifier=trained)
    arrays = {"image": images(4, size=32), "label": np.arange(4) % 2}
    with pytest.raises(_Started) as reached:
        classifiers.train_classifier(config, data_of(arrays, None), Workspace(tmp_path / "w"))
    assert (reached.value.settings.in_channels, reached.value.settings.weights) == (
        1,
        trained.weights,
    )
    model = reached.value.model
    network = model if head == "linear" else model.backbone
    stem = np.asarray(network.stem.conv.kernel[...])
    np.testing.assert_allclose(
        stem, np.asarray(colours.stem.conv.kernel[...]).sum(axis=2, keepdims=True), atol=1e-5
    )
    block = network.stages[1][0].conv1.kernel
    np.testing.assert_array_equal(
        np.asarray(block[...]), np.asarray(colours.stages[1][0].conv1.kernel[...])
    )
    assert isinstance(model, FindingClassifier) == (head == "finding")
    assert "imagenet.safetensors" in classifiers.describe_start(
        config
    ) and "random" in classifiers.describe_start(CONFIG)


class _Started(Exception):
    """The model that a training would start from."""

    def __init__(self, settings, model):
        super().__init__()
        self.settings, self.model = settings, model


def _start_alone(trainer, settings, *given, model=None, **options):
    inputs = Inputs(model=model)
    state = trainer.init(jax.random.key(0), settings, inputs)
    raise _Started(settings, trainer.finish(settings, inputs, state))


def torchvision_tensors(model):
    """The weights of a residual network as PyTorch would keep them."""

    def layout(array):
        array = np.asarray(array)
        return np.ascontiguousarray(array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T)

    flat = nnx.to_flat_state(nnx.state(model, (nnx.Param, nnx.BatchStat)))
    return {torchvision_name(model, path): layout(value[...]) for path, value in flat}


def test_maps_are_made_once_and_random_ones_differ(tmp_path):
    shown = stored({"image": images(3), "label": np.zeros(3, int)})
    network = network_of(np.zeros((3, 2)), Partial(linear_classifier))
    setup = Setup(CONFIG, None, network, Workspace(tmp_path))
    maker = MaskMaker(Partial(_mask), "made up")
    methods = {method.name: method for method in baselines(setup, maker)}
    gradients, masks, noise = (
        make_maps(methods[name], shown, setup) for name in (GRADIENT, MASK_GENERATOR, RANDOM)
    )
    slopes = np.broadcast_to(2 * np.abs(np.linspace(1, -1, 8)), (3, 8, 8))
    np.testing.assert_allclose(gradients.values, slopes, atol=1e-5)
    np.testing.assert_array_equal(masks.values, shown.arrays["image"][..., 0])
    assert not np.allclose(noise.values[0], noise.values[1]) and noise.seconds > 0
    again = make_maps(methods[RANDOM], shown, setup)
    np.testing.assert_array_equal(again.values, noise.values)
    assert again.seconds == noise.seconds


@pytest.fixture(scope="module")
def residual():
    return build("resnet_small", num_classes=2, in_channels=1, rngs=nnx.Rngs(0))


@pytest.mark.slow
def test_every_baseline_gives_maps(residual, tmp_path):
    config = dataclasses.replace(
        CONFIG,
        num_nodes=2,
        num_samples=2,
        num_perturbation_steps=2,
        num_perceptual_steps=2,
        batch_size=2,
    )
    network = Network(
        residual, per_image(residual), parts(residual), np.zeros((2, 2)), None, "untrained"
    )
    shown = stored({"image": images(2, size=32), "label": np.array([0, 1])})
    setup = Setup(config, None, network, Workspace(tmp_path))
    for method in baselines(setup, MaskMaker(Partial(_mask), "made up")):
        values = make_maps(method, shown, setup).values
        assert values.shape == (2, 32, 32) and values.min() >= 0, method.name
        assert np.isfinite(values).all(), method.name


@pytest.mark.slow
def test_first_activations_are_those_inside_of_the_blocks(residual):
    found = first_activations(residual, jnp.asarray(images(1, size=32)[0]))
    assert [each.shape[-1] for each in found] == [24, 24, 64, 192]
    assert all(each.min() >= 0 for each in found)


def _mask(image):
    return image


def _corner(image):
    return SimilarAdversarial(image, image.at[:2, :2].set(1 - image[:2, :2]))


def test_averaging_an_equivariant_map_without_moves_returns_it(tmp_path):
    shown = stored({"image": images(3), "label": np.zeros(3, int)})
    method = Method("brightness", _brightness, None, "made up")
    nothing = AugmentationRanges(
        rotation=0,
        height_shift=0,
        width_shift=0,
        zoom=(1.0, 1.0),
        horizontal_flip=True,
        vertical_flip=True,
    )
    plain, mean = (
        make_maps(each, shown, Setup(CONFIG, None, None, Workspace(tmp_path))).values
        for each in (method, averaged_method(method, nothing, num=3))
    )
    np.testing.assert_allclose(mean, plain, atol=1e-6)


def _brightness(shared, image):
    del shared
    return image[..., 0]


def test_localisation_of_a_map_that_is_the_annotation():
    annotation = np.zeros((2, 10, 10), bool)
    annotation[:, :2, :5] = True
    noise = np.random.default_rng(0).uniform(size=(2, 10, 10))
    found = localise(annotation + 0.1 * noise, annotation, (90, 95))
    np.testing.assert_allclose(found.iou[90], 1)
    np.testing.assert_allclose(found.fdr[90], 0)
    np.testing.assert_allclose(found.recall[95], 0.5)
    np.testing.assert_allclose(found.kept[95], 0.05)
    np.testing.assert_allclose(found.auc, 1)


def test_quality_knows_the_truth_and_findings_have_names(tmp_path):
    image = images(8, size=12)
    truth = np.asarray(jnp.asarray(image).at[:, :2, :2].set(1 - image[:, :2, :2]))
    lesion = np.zeros((8, 12, 12), bool)
    lesion[:, :2, :2] = True
    arrays = {
        "image": image,
        "label": np.arange(8) % 2,
        "lesion_mask": lesion,
        "counterfactual": truth,
        "counterfactual_lesion_mask": np.zeros_like(lesion),
    }
    data, network = data_of(arrays), network_of(np.zeros((8, 2)), Partial(linear_classifier))
    with keep_notices() as notices:
        setup = Setup(CONFIG, data, network, Workspace(tmp_path))
        generator = check_pairs("corner", Partial(_corner), "made up", setup)
    assert (
        notices
        == [f"corner: {finding.severity}: {finding.message}" for finding in generator.findings]
        != []
    )
    assert "turned" in generator.remarks and "collapsed" not in generator.remarks
    found = measure_quality(generator, setup)
    np.testing.assert_array_equal(found.psnr["x, x_s"], 100)
    np.testing.assert_allclose(found.to_truth["inside"], 100)
    inside = np.square(image - truth)[:, :2, :2, 0].mean((1, 2))
    np.testing.assert_allclose(found.image_to_truth["inside"], -10 * np.log10(inside), rtol=1e-5)
    np.testing.assert_array_equal(found.kept, 1)
    assert pair_method(generator).name == "corner"
