"""A backbone with the head of the finding's classifier: by hand, through all views, and trained."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.attributions import grad_cam, guided_backprop
from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError
from cfx_jax.models import EfficientNet, FindingClassifier, ResNet, Stage, guided, parts, per_image
from trainers import classifier, load, train, with_run

IMAGES = np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype(np.float32)


def backbone(rngs: nnx.Rngs, *, num_classes: int = 5) -> ResNet:
    return ResNet(
        block="basic",
        stage_sizes=(1,),
        widths=(4,),
        num_classes=num_classes,
        in_channels=1,
        stem="patch",
        rngs=rngs,
    )


def small(rngs: nnx.Rngs) -> FindingClassifier:
    return FindingClassifier(backbone(rngs), width=6, rngs=rngs)


def test_logits_are_zero_and_that_of_the_head_computed_by_numpy() -> None:
    model = nnx.view(small(nnx.Rngs(0)), use_running_average=True, deterministic=True)
    means = np.asarray(model.features(IMAGES)).mean(axis=(1, 2))
    hidden = means @ np.asarray(model.hidden.kernel[...]) + np.asarray(model.hidden.bias[...])
    hidden = np.where(hidden > 0, hidden, 0.3 * hidden)
    logit = hidden @ np.asarray(model.head.kernel[...]) + np.asarray(model.head.bias[...])
    np.testing.assert_allclose(
        model(IMAGES), np.concatenate([0 * logit, logit], axis=1), rtol=1e-5, atol=1e-6
    )


def test_weights_start_as_published_and_the_backbones_head_is_gone() -> None:
    model = FindingClassifier(backbone(nnx.Rngs(0)), rngs=nnx.Rngs(1))
    kernel = np.asarray(model.hidden.kernel[...])
    bound = np.sqrt(6 / 4)
    assert (
        kernel.shape == (4, 128)
        and np.abs(kernel).max() <= bound
        and np.abs(kernel).max() > 0.95 * bound
    )
    assert np.var(kernel) == pytest.approx(bound**2 / 3, rel=0.1)
    assert model.head.kernel.shape == (128, 1) and model.dropout.rate == 0.3
    counts = [
        sum(x.size for x in jax.tree.leaves(nnx.state(each, nnx.Param)))
        for each in (model, backbone(nnx.Rngs(0)))
    ]
    assert counts[0] == counts[1] - (4 * 5 + 5) + (4 * 128 + 128) + 129


def test_the_backbone_is_copied_with_its_weights_and_stays_as_it_is() -> None:
    given = backbone(nnx.Rngs(3))
    view = nnx.view(given, use_running_average=True)
    model = nnx.view(
        FindingClassifier(given, rngs=nnx.Rngs(0)), use_running_average=True, deterministic=True
    )
    np.testing.assert_array_equal(model.features(IMAGES), view.features(IMAGES))
    assert view(IMAGES).shape == (3, 5)


def test_dropout_acts_in_training_alone() -> None:
    model = nnx.view(small(nnx.Rngs(0)), use_running_average=True)
    logits = [np.asarray(model(IMAGES)) for _ in range(4)]
    assert any(not np.array_equal(logits[0], each) for each in logits)
    classify = per_image(model)
    np.testing.assert_array_equal(classify(IMAGES[0]), classify(IMAGES[0]))


def test_views_and_attributions_take_it() -> None:
    model, image = small(nnx.Rngs(0)), jnp.asarray(IMAGES[0])
    classify, (features, head) = per_image(model), parts(model)
    np.testing.assert_allclose(head(features(image)), classify(image), rtol=1e-6)
    maps = np.asarray(features(image))
    slopes = np.asarray(jax.grad(lambda each: head(each)[1])(jnp.asarray(maps))).mean(axis=(0, 1))
    coarse = np.maximum(maps @ slopes, 0)
    shown = np.asarray(grad_cam(parts(model), image, 1))
    assert (
        shown.shape == (8, 8) and np.corrcoef(shown[2::4, 2::4].ravel(), coarse.ravel())[0, 1] > 0.9
    )
    np.testing.assert_allclose(per_image(guided(model))(image), classify(image), rtol=1e-6)
    assert np.isfinite(guided_backprop(lambda x: per_image(guided(model))(x)[1], image)).all()


def test_other_backbones_and_their_dropout() -> None:
    stage = Stage(num_blocks=1, width=4, expansion=1, size=3, stride=1)
    efficient = EfficientNet(
        stages=(stage,),
        num_classes=2,
        in_channels=1,
        stem_width=4,
        top_width=6,
        dropout=0.9,
        rngs=nnx.Rngs(0),
    )
    model = FindingClassifier(efficient, rngs=nnx.Rngs(0))
    assert not hasattr(model.backbone, "dropout") and hasattr(efficient, "dropout")
    assert nnx.view(model, use_running_average=True, deterministic=True)(IMAGES).shape == (3, 2)


def test_mistakes_are_named() -> None:
    with pytest.raises(
        InputError,
        match=r"backbone: expected a network with `features` and a linear `head`, .* got Linear",
    ):
        FindingClassifier(nnx.Linear(2, 2, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0))
    with pytest.raises(InputError, match="width: expected at least 1, got 0"):
        FindingClassifier(backbone(nnx.Rngs(0)), rngs=nnx.Rngs(0), width=0)
    with pytest.raises(InputError, match=r"dropout: expected a share in \[0, 1\), got 1"):
        FindingClassifier(backbone(nnx.Rngs(0)), rngs=nnx.Rngs(0), dropout=1.0)


def test_it_trains_with_weighted_classes_and_comes_back(tmp_path: Path) -> None:
    labels = np.array([0, 0, 0, 1] * 8, np.int32)
    images = np.clip(
        0.3
        + 0.4 * labels[:, None, None, None]
        + 0.05 * np.random.default_rng(0).normal(size=(32, 8, 8, 1)),
        0,
        1,
    )
    images = images.astype(np.float32)
    config = with_run(
        classifier.Config(in_channels=1, balanced=False, weighted=True),
        num_steps=4,
        batch_size=16,
        eval_batch_size=32,
        evaluate_every=2,
        checkpoint_every=4,
    )
    data = (
        ArraySource(images, labels, ("healthy", "ill")),
        np.arange(32),
        {"image": images, "label": labels},
    )
    trainer = classifier.TRAINER
    model = train(trainer, config, *data, tmp_path, model=small, progress=False)
    loaded = load(trainer, tmp_path, model=small)
    np.testing.assert_array_equal(loaded(images), model(images))
