"""Values of convolutions: those of the layers called by hand, in order, by volume; and the
variances made of them.
"""

import jax
import numpy as np
import pytest
from flax import nnx
from small_volume_networks import SALIENCY, VOLUMES, baseline, call, small_head, small_trunk

from cfx_jax.errors import InputError
from cfx_jax.metrics import pre_activation_variances
from cfx_jax.models import HSM, ResNet, SliceWise, pre_activations

NAMES = [f"trunk.stages.{number}.layers.0.conv" for number in range(4)]


def trained_mode():
    trunk = small_trunk()
    return SliceWise(trunk, small_head(trunk), dropout=0.5, rngs=nnx.Rngs(0))


def names_of(capture, *inputs):
    """In the order in which the layers are called, with nothing computed; what ``jit`` returns is
    sorted.
    """
    names = []
    jax.eval_shape(lambda capture, *inputs: names.extend(capture(*inputs)), capture, *inputs)
    return names


def test_values_are_those_of_the_layers_called_one_after_the_other_in_inference_mode():
    model = trained_mode()
    found = call(pre_activations(model), VOLUMES)
    assert names_of(pre_activations(model), VOLUMES) == NAMES
    view, x = baseline(model.trunk), VOLUMES.reshape(6, 16, 16, 1)
    for name, stage in zip(NAMES, view.trunk.stages, strict=True):
        (layer,) = stage.layers
        expected = call(layer.conv, x)
        np.testing.assert_allclose(
            found[name].reshape(expected.shape), expected, rtol=1e-4, atol=1e-5
        )
        x = call(stage, x)
    assert [found[name].shape for name in NAMES[:2]] == [(2, 3, 8, 8, 8), (2, 3, 4, 4, 8)]


def test_the_model_stays_as_it_was():
    model = trained_mode()
    before = jax.tree.map(np.array, nnx.state(model, (nnx.Param, nnx.BatchStat)))
    call(pre_activations(model), VOLUMES)
    jax.tree.map(
        np.testing.assert_array_equal, before, nnx.state(model, (nnx.Param, nnx.BatchStat))
    )
    assert isinstance(model.trunk.stages[0].layers[0].conv, nnx.Conv)
    assert not model.trunk.stages[0].layers[0].norm.use_running_average


def test_a_shuffled_batch_gives_shuffled_values_so_the_first_axis_runs_over_volumes():
    capture = pre_activations(trained_mode())
    found, shuffled = call(capture, VOLUMES), call(capture, VOLUMES[::-1])
    for name in NAMES:
        np.testing.assert_allclose(shuffled[name], found[name][::-1], rtol=1e-4, atol=1e-5)


def test_projections_are_convolutions_and_the_head_is_none():
    model = ResNet(
        block="bottleneck",
        stage_sizes=(1,),
        widths=(2,),
        num_classes=2,
        in_channels=1,
        stem="patch",
        rngs=nnx.Rngs(0),
    )
    block = "stages.0.0"
    names = [
        "stem.conv",
        *(f"{block}.{layer}" for layer in ("conv1", "conv2", "conv3", "shortcut.linear")),
    ]
    assert names_of(pre_activations(model), VOLUMES[0]) == names
    assert names_of(pre_activations(model, part="stages"), VOLUMES[0]) == names[1:]
    shapes = jax.eval_shape(
        lambda capture, images: capture(images), pre_activations(model), VOLUMES[0]
    )
    assert [shapes[name].shape for name in names] == [(3, 4, 4, width) for width in (2, 2, 2, 8, 8)]


def test_a_part_of_a_model_with_saliency():
    trunk = small_trunk()
    model = HSM(trunk, small_trunk(seed=1), small_head(trunk))
    assert names_of(pre_activations(model, part="trunk"), VOLUMES, SALIENCY) == NAMES
    assert len(names_of(pre_activations(model), VOLUMES, SALIENCY)) == 8


def test_variances_over_volumes_by_numpy():
    capture = pre_activations(trained_mode())
    volumes = np.random.default_rng(5).uniform(size=(5, 3, 16, 16, 1)).astype(np.float32)
    found = pre_activation_variances(call(capture, batch) for batch in (volumes[:3], volumes[3:]))
    values = call(capture, volumes)
    assert list(found) == sorted(NAMES)
    for name in NAMES:
        assert found[name] == pytest.approx(
            np.asarray(values[name], float).var(axis=0).mean(), rel=1e-4
        )


def test_models_without_convolutions_or_without_such_a_part_are_refused():
    class Nothing(nnx.Module):
        pass

    with pytest.raises(
        InputError, match=r"model: Nothing has no convolution \(nnx.Conv, or nnx.Linear on maps\)"
    ):
        pre_activations(Nothing())
    with pytest.raises(
        InputError,
        match="model: expected an NNX model of batches, got function: give the model, no view",
    ):
        pre_activations(lambda x: x)
    with pytest.raises(InputError, match="part: expected one of 'head', 'trunk', got 'body'"):
        pre_activations(trained_mode(), part="body")
