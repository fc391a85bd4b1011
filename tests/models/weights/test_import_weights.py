"""Weights by torchvision's names: every tensor finds its place, and every mistake its message."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import DenseNet, EfficientNet, ResNet, Stage, import_weights, torchvision_name


def norm(name, width):
    tensors = ("weight", "bias", "running_mean", "running_var")
    return {
        **{f"{name}.{tensor}": (width,) for tensor in tensors},
        f"{name}.num_batches_tracked": (),
    }


def resnet_block(name, channels, width, *, projects=False):
    shapes = {
        f"{name}.conv1.weight": (width, channels, 3, 3),
        f"{name}.conv2.weight": (width, width, 3, 3),
    }
    shapes |= norm(f"{name}.bn1", width) | norm(f"{name}.bn2", width)
    if projects:
        shapes |= {f"{name}.downsample.0.weight": (width, channels, 1, 1)} | norm(
            f"{name}.downsample.1", width
        )
    return shapes


def mbconv(name, channels, width, *, expansion, size):
    """torchvision leaves the first item of the sequence out where nothing is expanded."""
    inner, first = expansion * channels, 0
    shapes = {}
    if expansion > 1:
        shapes, first = (
            {f"{name}.0.0.weight": (inner, channels, 1, 1)} | norm(f"{name}.0.1", inner),
            1,
        )
    shapes |= {f"{name}.{first}.0.weight": (inner, 1, size, size)} | norm(
        f"{name}.{first}.1", inner
    )
    reduced, gate = max(1, channels // 4), f"{name}.{first + 1}"
    shapes |= {f"{gate}.fc1.weight": (reduced, inner, 1, 1), f"{gate}.fc1.bias": (reduced,)}
    shapes |= {f"{gate}.fc2.weight": (inner, reduced, 1, 1), f"{gate}.fc2.bias": (inner,)}
    return (
        shapes
        | {f"{name}.{first + 2}.0.weight": (width, inner, 1, 1)}
        | norm(f"{name}.{first + 2}.1", width)
    )


RESNET = {
    "conv1.weight": (4, 3, 4, 4),
    **norm("bn1", 4),
    **resnet_block("layer1.0", 4, 4),
    **resnet_block("layer1.1", 4, 4),
    **resnet_block("layer2.0", 4, 6, projects=True),
    "fc.weight": (3, 6),
    "fc.bias": (3,),
}
EFFICIENTNET = {
    "features.0.0.weight": (4, 3, 3, 3),
    **norm("features.0.1", 4),
    **mbconv("features.1.0.block", 4, 4, expansion=1, size=3),
    **mbconv("features.2.0.block", 4, 6, expansion=2, size=5),
    **mbconv("features.2.1.block", 6, 6, expansion=2, size=5),
    "features.3.0.weight": (8, 6, 1, 1),
    **norm("features.3.1", 8),
    "classifier.1.weight": (3, 8),
    "classifier.1.bias": (3,),
}


def random_tensors(shapes):
    rng = np.random.default_rng(0)
    return {name: rng.uniform(0.5, 1.5, shape).astype(np.float32) for name, shape in shapes.items()}


@functools.cache
def resnet():
    sizes = {"stage_sizes": (2, 1), "widths": (4, 6), "num_classes": 3}
    return ResNet(block="basic", stem="patch", **sizes, rngs=nnx.Rngs(0))


@functools.cache
def shapes_of_resnet():
    """Quicker than drawing weights that are replaced at once."""
    return nnx.eval_shape(resnet.__wrapped__)


@functools.cache
def shapes_of_efficientnet():
    sizes = {
        "stages": (Stage(1, 3, 1, 4, 1), Stage(2, 5, 2, 6, 2)),
        "stem_width": 4,
        "top_width": 8,
        "num_classes": 3,
    }
    return nnx.eval_shape(lambda: EfficientNet(**sizes, rngs=nnx.Rngs(0)))


@functools.cache
def efficientnet_with_weights():
    """A layer that is kept needs weights."""
    return import_weights(
        shapes_of_efficientnet(),
        {name: tensor + 1 for name, tensor in random_tensors(EFFICIENTNET).items()},
    )


def weights(model):
    state = nnx.state(model, (nnx.Param, nnx.BatchStat))
    return jax.tree.map(np.asarray, nnx.to_pure_dict(state))


@pytest.mark.parametrize(
    ("model", "shapes"), [(shapes_of_resnet, RESNET), (shapes_of_efficientnet, EFFICIENTNET)]
)
def test_each_tensor_is_used_once(model, shapes):
    tensors = random_tensors(shapes)
    imported = jax.tree.leaves(weights(import_weights(model(), tensors)))
    given = [tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")]
    assert len(imported) == len(given)
    flat = (
        np.sort(np.concatenate([array.ravel() for array in arrays])) for arrays in (imported, given)
    )
    np.testing.assert_array_equal(*flat)


def test_tensors_of_a_resnet_are_where_their_names_say():
    tensors = random_tensors(RESNET)
    model = import_weights(shapes_of_resnet(), tensors)
    block = model.stages[1][0]
    pairs = [
        (model.stem.conv.kernel, tensors["conv1.weight"].transpose(2, 3, 1, 0)),
        (model.stem.norm.var, tensors["bn1.running_var"]),
        (model.stages[0][1].conv2.kernel, tensors["layer1.1.conv2.weight"].transpose(2, 3, 1, 0)),
        (block.norm2.scale, tensors["layer2.0.bn2.weight"]),
        (block.shortcut.linear.kernel, tensors["layer2.0.downsample.0.weight"][:, :, 0, 0].T),
        (block.shortcut.norm.mean, tensors["layer2.0.downsample.1.running_mean"]),
        (model.head.kernel, tensors["fc.weight"].T),
        (model.head.bias, tensors["fc.bias"]),
    ]
    for ours, expected in pairs:
        np.testing.assert_array_equal(ours[...], expected)


def test_tensors_of_an_efficientnet_are_where_their_names_say():
    tensors = random_tensors(EFFICIENTNET)
    model = import_weights(shapes_of_efficientnet(), tensors)
    plain, _, last = model.blocks
    pairs = [
        (model.stem.conv.kernel, tensors["features.0.0.weight"].transpose(2, 3, 1, 0)),
        (plain.depthwise.kernel, tensors["features.1.0.block.0.0.weight"].transpose(2, 3, 1, 0)),
        (plain.project.norm.bias, tensors["features.1.0.block.2.1.bias"]),
        (last.expand.linear.kernel, tensors["features.2.1.block.0.0.weight"][:, :, 0, 0].T),
        (last.depthwise_norm.mean, tensors["features.2.1.block.1.1.running_mean"]),
        (last.excitation.reduce.kernel, tensors["features.2.1.block.2.fc1.weight"][:, :, 0, 0].T),
        (last.excitation.expand.bias, tensors["features.2.1.block.2.fc2.bias"]),
        (last.project.linear.kernel, tensors["features.2.1.block.3.0.weight"][:, :, 0, 0].T),
        (model.top.norm.scale, tensors["features.3.1.weight"]),
        (model.head.kernel, tensors["classifier.1.weight"].T),
    ]
    for ours, expected in pairs:
        np.testing.assert_array_equal(ours[...], expected)


TIMM = {
    "features.0.0": "conv_stem",
    "features.0.1": "bn1",
    "features.1.0.block.0.0": "blocks.0.0.conv_dw",
    "features.1.0.block.0.1": "blocks.0.0.bn1",
    "features.1.0.block.1.fc1": "blocks.0.0.se.conv_reduce",
    "features.1.0.block.1.fc2": "blocks.0.0.se.conv_expand",
    "features.1.0.block.2.0": "blocks.0.0.conv_pw",
    "features.1.0.block.2.1": "blocks.0.0.bn2",
    "features.2.#.block.0.0": "blocks.1.#.conv_pw",
    "features.2.#.block.0.1": "blocks.1.#.bn1",
    "features.2.#.block.1.0": "blocks.1.#.conv_dw",
    "features.2.#.block.1.1": "blocks.1.#.bn2",
    "features.2.#.block.2.fc1": "blocks.1.#.se.conv_reduce",
    "features.2.#.block.2.fc2": "blocks.1.#.se.conv_expand",
    "features.2.#.block.3.0": "blocks.1.#.conv_pwl",
    "features.2.#.block.3.1": "blocks.1.#.bn3",
    "features.3.0": "conv_head",
    "features.3.1": "bn2",
    "classifier.1": "classifier",
}
"""The layers of ``EFFICIENTNET``, and what timm's efficientnet_b0 calls those in their places (timm
1.0.31).
"""


def test_an_efficientnet_by_timms_names_is_the_same():
    tensors = random_tensors(EFFICIENTNET)
    names = {
        one.replace("#", place): two.replace("#", place)
        for one, two in TIMM.items()
        for place in "01"
    }
    renamed = {}
    for name, tensor in tensors.items():
        layer, _, array = name.rpartition(".")
        renamed[f"{names[layer]}.{array}"] = tensor
    assert len(renamed) == len(tensors) and not set(renamed) & set(tensors)
    both = [weights(import_weights(shapes_of_efficientnet(), each)) for each in (tensors, renamed)]
    jax.tree.map(np.testing.assert_array_equal, *both)
    kept = import_weights(efficientnet_with_weights(), renamed, keep=["classifier.1"])
    np.testing.assert_array_equal(kept.top.norm.scale[...], tensors["features.3.1.weight"])
    assert not np.array_equal(kept.head.kernel[...], tensors["classifier.1.weight"].T)
    del renamed["blocks.1.1.bn3.bias"]
    with pytest.raises(
        InputError, match=r"got 1 missing \(features.2.1.block.3.1.bias\): give the file"
    ):
        import_weights(shapes_of_efficientnet(), renamed)


def test_a_densenet_by_the_names_of_torchvisions_published_file_is_the_same():
    model = nnx.eval_shape(
        lambda: DenseNet(
            block_sizes=(2, 1), growth=4, stem_width=8, num_classes=3, rngs=nnx.Rngs(0)
        )
    )
    flat = nnx.to_flat_state(nnx.state(model, (nnx.Param, nnx.BatchStat)))
    kernels = {torchvision_name(model, path): each.shape for path, each in flat}
    shapes = {
        name: (shape[::-1] if len(shape) < 4 else (shape[3], shape[2], *shape[:2]))
        for name, shape in kernels.items()
    }
    tensors = random_tensors(shapes)
    old = {
        re.sub(r"(denselayer\d)\.(norm|conv)([12])\.", r"\1.\2.\3.", name): tensor
        for name, tensor in tensors.items()
    }
    assert (
        "features.denseblock1.denselayer2.norm.1.running_mean" in old
        and "features.transition1.norm.weight" in old
    )
    assert len(set(old) - set(tensors)) == 3 * 2 * (
        4 + 1
    )  # norms have four arrays, convolutions one
    both = [weights(import_weights(model, each)) for each in (tensors, old)]
    jax.tree.map(np.testing.assert_array_equal, *both)


def test_the_given_model_keeps_its_weights_and_the_copy_its_mode():
    model = nnx.view(resnet(), use_running_average=True)
    before = weights(model)
    imported = import_weights(model, random_tensors(RESNET))
    jax.tree.map(np.testing.assert_array_equal, weights(model), before)
    assert imported.stem.norm.use_running_average and np.any(
        imported.head.bias[...] != model.head.bias[...]
    )


def test_the_model_does_not_share_the_memory_of_the_tensors():
    buffer = np.zeros(64 + 3 * 4, np.uint8)
    start = -buffer.ctypes.data % 64  # what JAX can take as it is
    bias = buffer[start : start + 12].view(np.float32)
    imported = import_weights(shapes_of_resnet(), random_tensors(RESNET) | {"fc.bias": bias})
    bias[:] = 5
    np.testing.assert_array_equal(imported.head.bias[...], 0)


def test_halves_and_doubles_become_float32():
    tensors = random_tensors(RESNET)
    tensors["fc.weight"], tensors["fc.bias"] = (
        tensors["fc.weight"].astype(np.float16),
        np.arange(3, dtype=np.float64),
    )
    imported = import_weights(shapes_of_resnet(), tensors)
    assert imported.head.kernel.dtype == imported.head.bias.dtype == jnp.float32
    np.testing.assert_array_equal(imported.head.bias[...], np.arange(3))


def test_counters_and_the_auxiliary_head_are_not_asked_for():
    tensors = {
        name: each for name, each in random_tensors(RESNET).items() if "num_batches" not in name
    }
    with_head = tensors | {"AuxLogits.fc.weight": np.zeros((3, 768), np.float32)}
    for given in (tensors, with_head):
        imported = import_weights(shapes_of_resnet(), given)
        np.testing.assert_array_equal(imported.stem.norm.mean[...], tensors["bn1.running_mean"])


@pytest.mark.parametrize("given", [(), ("fc.weight", "fc.bias")])
def test_kept_layers_keep_their_weights(given):
    """Whether the file has none for them or some of another size."""
    tensors = {
        name: each for name, each in random_tensors(RESNET).items() if not name.startswith("fc.")
    }
    tensors |= {
        name: np.zeros((1000, 6) if name == "fc.weight" else 1000, np.float32) for name in given
    }
    imported = import_weights(resnet(), tensors, keep=("fc",))
    np.testing.assert_array_equal(imported.head.kernel[...], resnet().head.kernel[...])
    np.testing.assert_array_equal(imported.stem.norm.bias[...], tensors["bn1.bias"])


def without(*names):
    return {name: tensor for name, tensor in random_tensors(RESNET).items() if name not in names}


WITH_LAYER_3 = {f"layer3.{i}.conv1.weight": np.zeros(1) for i in range(4)}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (
            without("bn1.bias"),
            r"tensors: expected the 42 of this architecture by torchvision's names, got 1 missing"
            r" \(bn1.bias\): "
            "give the file of this very architecture, and name a layer of another size in `keep`",
        ),
        (
            random_tensors(RESNET) | WITH_LAYER_3,
            r"got 4 left over \(layer3.0.conv1.weight, layer3.1.conv1.weight,"
            r" layer3.2.conv1.weight, ...\):",
        ),
        (
            {"head.weight": np.zeros(1)},
            r"got 42 missing \(bn1.bias, bn1.running_mean, bn1.running_var, ...\) and 1 left over"
            r" \(head.weight\)",
        ),
        (
            random_tensors(RESNET | {"conv1.weight": (4, 1, 4, 4)}),
            r"tensors: expected conv1.weight of shape \(4, 4, 3, 4\) in Flax's order of axes, got"
            r" \(4, 4, 1, 4\): "
            r"is it another width, another number of classes \(name its layer in `keep`\) or of"
            r" channels\?",
        ),
        (
            random_tensors(RESNET | {"layer2.0.downsample.0.weight": (6, 4, 3, 3)}),
            r"layer2.0.downsample.0.weight of shape \(4, 6\) in Flax's order of axes, got \(3, 3,"
            r" 4, 6\)",
        ),
    ],
)
def test_tensors_of_another_network_are_named(tensors, message):
    with pytest.raises(InputError, match=message):
        import_weights(shapes_of_resnet(), tensors)


def test_models_without_torchvisions_names_are_refused():
    message = (
        "model: expected one of ResNet, EfficientNet, InceptionV3, DenseNet, got Linear:"
        " torchvision has no names"
    )
    with pytest.raises(InputError, match=message):
        import_weights(nnx.Linear(2, 3, rngs=nnx.Rngs(0)), {})


@pytest.mark.parametrize("keep", ["fc", ("head",), ("fc.weight",)])
def test_a_kept_layer_that_the_model_has_not_is_named(keep):
    message = r"keep: expected torchvision's names of layers of the model, such as \('fc',\), got "
    with pytest.raises(InputError, match=message):
        import_weights(shapes_of_resnet(), random_tensors(RESNET), keep=keep)
