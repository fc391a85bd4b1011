"""Training of a segmentation network: bright and dark discs are found, and a stopped training goes
on to the same bits.
"""

import json
import shutil
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from toy_training import bits, with_options

from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError
from cfx_jax.models import per_image
from cfx_jax.training.workdir import prepare_workdir
from trainers import Inputs, load, train
from trainers.segmentation import TRAINER, Config, make_evaluate, make_step
from trainers.shared import restore_config, variables_of


def discs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright and a dark disc of one size in noise, and the class of each pixel: background,
    bright, dark.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((16, 16))
    masks = np.zeros((count, 16, 16), np.uint8)
    for mask in masks:
        for label, left in ((1, 4), (2, 11)):
            row = rng.integers(4, 12)
            mask[(rows - row) ** 2 + (columns - left) ** 2 <= rng.integers(4, 10)] = label
    images = np.array([0.5, 0.8, 0.2])[masks] + 0.05 * rng.normal(size=masks.shape)
    return images[..., None].clip(0, 1).astype(np.float32), masks


def _config(num_steps: int, **options: Any) -> Config:
    given: dict[str, Any] = {
        "filters": (4, 8),
        "batch_size": 8,
        "eval_batch_size": 8,
        "log_every": 10,
        "evaluate_every": 20,
        "checkpoint_every": 3,
        "learning_rate": 2e-2,
    }
    return with_options(Config(), num_steps=num_steps, **{**given, **options})


@cache
def _compiled() -> Any:
    """The step, compiled once; numbers of steps play no part in it."""
    return jax.jit(make_step(_config(1), Inputs()))


def _train(workdir: Path, config: Config) -> Any:
    images, masks = discs(32, 0)
    source = ArraySource(images, np.zeros(32, np.int32), ("a", "b"))
    validation = dict(zip(("image", "mask"), discs(16, 1), strict=True))
    compiled = replace(TRAINER, make_step=lambda config, inputs: _compiled())
    images_given = source, np.arange(8, 32), validation
    return train(compiled, config, *images_given, workdir, targets=masks[8:], progress=False)


def test_the_loss_is_the_mean_cross_entropy_of_all_pixels() -> None:
    images, masks = discs(8, 2)
    state = TRAINER.init(jax.random.key(0), _config(1), Inputs())
    head = state.params["head"]
    head["kernel"][...], head["bias"][...] = (
        0 * head["kernel"][...],
        np.array([1.0, 2.0, 3.0], np.float32),
    )
    _, metrics = _compiled()(state, jax.random.key(0), {"image": images, "target": masks})
    shares = np.bincount(masks.ravel(), minlength=3) / masks.size
    expected = np.log(np.exp([1, 2, 3]).sum()) - shares @ [1, 2, 3]
    assert float(metrics["loss"]) == pytest.approx(expected, rel=1e-5)
    assert float(metrics["accuracy"]) == pytest.approx(shares[2])


@pytest.mark.slow
def test_training_finds_the_discs_and_goes_on_from_a_checkpoint_to_the_same_bits(
    tmp_path: Path,
) -> None:
    config = _config(200, checkpoint_every=150)
    model = _train(tmp_path, config)
    whole = bits(variables_of(model))
    assert bits(variables_of(load(TRAINER, tmp_path))) == whole
    written = (tmp_path / "metrics.jsonl").read_text()
    shutil.rmtree(tmp_path / "checkpoints" / "step_00000200")
    with pytest.raises(InputError, match="stands at step 150 of 200: call train again"):
        load(TRAINER, tmp_path)
    assert bits(variables_of(_train(tmp_path, config))) == whole
    assert (tmp_path / "metrics.jsonl").read_text() == written
    lines = [each for each in map(json.loads, written.splitlines()) if "validation_dice" in each]
    best = max(each["validation_dice"] for each in lines)
    assert best > 0.8
    images, masks = discs(16, 1)
    found = np.asarray(jax.jit(jax.vmap(per_image(model)))(images)).argmax(axis=-1)
    by_hand = []
    for label in (1, 2):
        one, two = found == label, masks == label
        by_hand.append(np.mean(2 * (one & two).sum((1, 2)) / (one.sum((1, 2)) + two.sum((1, 2)))))
    assert np.mean(by_hand) == pytest.approx(best, rel=1e-5)


def test_a_configuration_is_read_back_from_its_file_as_it_was() -> None:
    config = replace(Config(), filters=(2, 3), norm="batch")
    assert restore_config(Config, json.loads(json.dumps(asdict(config)))) == config


def test_mistakes_are_named(tmp_path: Path) -> None:
    images, masks = discs(2, 0)
    for wrong, message in (
        (
            masks == 1,
            r"validation masks: expected the class .* integers of shape \(2, 16, 16\), got bool",
        ),
        (masks[:, 1:], r"validation masks: .* got uint8 of shape \(2, 15, 16\): put one map"),
        (masks + 1, r"validation masks: expected classes in 0\.\.2, got 1\.\.3"),
        (masks % 2, "validation masks: expected pixels of each class, got none of class 2"),
    ):
        with pytest.raises(InputError, match=message):
            make_evaluate(_config(1), Inputs(validation={"image": images, "mask": wrong}))
    with pytest.raises(InputError, match=r"validation images: expected values in \[0, 1\]"):
        make_evaluate(_config(1), Inputs(validation={"image": images + 2, "mask": masks}))
    with pytest.raises(InputError, match="learning_rate: expected a finite number above 0, got 0"):
        TRAINER.init(jax.random.key(0), _config(1, learning_rate=0.0), Inputs())
    with pytest.raises(InputError, match="select: expected one of 'dice', 'none', got 'loss'"):
        _train(tmp_path, _config(1, select="loss"))
    with pytest.raises(InputError, match="batch_size: expected a multiple of the 1 devices, got 0"):
        _train(tmp_path, _config(1, batch_size=0))
    source = ArraySource(images, np.zeros(2, np.int32), ("a", "b"))
    with pytest.raises(InputError, match=r"^masks: expected classes in"):
        given = source, np.arange(2), {"image": images, "mask": masks}
        train(TRAINER, _config(1), *given, tmp_path, targets=masks + 1)
    prepare_workdir(tmp_path, {"trainer": "trades"})
    with pytest.raises(InputError, match=r"expected a training of segmentation, .* is of trades"):
        load(TRAINER, tmp_path)
