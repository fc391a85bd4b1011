"""Competitors by name: classes, trunks, how they are called, errors."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import (
    HSM,
    SMIC,
    HalfBrainLogits,
    HallucinatedSaliency,
    SalClassNet,
    SeAtt,
    SliceWise,
    SpAtt,
    build_competitor,
)
from cfx_jax.models.volumes.build_competitor import WITH_SALIENCY

CLASSES = {
    "smic": SMIC,
    "smic_released": SMIC,
    "sal_class_net": SalClassNet,
    "hsm": HSM,
    "vit": SliceWise,
    "hallucinated_saliency": HallucinatedSaliency,
    "sp_att": SpAtt,
    "se_att": SeAtt,
}


def shapes(method, trunk, *, side, **options):
    """The model and the shapes of its logits for two volumes, with nothing allocated or
    computed.
    """
    model = nnx.eval_shape(lambda: build_competitor(method, trunk, rngs=nnx.Rngs(0), **options))
    volumes = jax.ShapeDtypeStruct((2, 3, *side, 1), jnp.float32)
    inputs = [volumes] * (2 if method in WITH_SALIENCY else 1)
    return model, jax.eval_shape(lambda model, *inputs: model(*inputs), model, *inputs)


@pytest.mark.parametrize("method", CLASSES)
def test_each_is_built_on_small_trunks(method):
    model, logits = shapes(method, "slice_small", side=(64, 64), num_classes=5)
    assert type(model) is CLASSES[method] and logits.shape == (2, 5)
    for trunk in ("half_brain_small", "half_brain_fine"):
        _, logits = shapes(method, trunk, side=(64, 64))
        assert isinstance(logits, HalfBrainLogits) and logits.side.shape == (2, 3)


@pytest.mark.slow
@pytest.mark.parametrize("method", CLASSES)
def test_each_is_built_on_the_published_trunks(method):
    assert shapes(method, "slice_resnet50", side=(128, 128))[1].shape == (2, 2)
    assert shapes(method, "half_brain", side=(400, 500))[1].lesion.shape == (2, 2)


def test_the_released_branch_of_smic_is_not_the_published_one():
    (published, _), (released, _) = (
        shapes(method, "slice_small", side=(64, 64)) for method in ("smic", "smic_released")
    )
    assert not hasattr(published.gate, "trunk") and len(released.gate.trunk.stages) == 2


def test_a_vision_transformer_of_another_size():
    model, logits = shapes("vit", "slice_small", side=(32, 48), size=(32, 48))
    assert model.trunk.stages[0].layers[0].positions.shape == (24, 64) and logits.shape == (2, 2)


def test_unknown_names_list_the_valid_ones():
    with pytest.raises(
        InputError, match=r"method: expected one of 'smic', 'smic_released', .* 'vit', got 'acat'"
    ):
        build_competitor("acat", "slice_small", rngs=nnx.Rngs(0))
    with pytest.raises(
        InputError, match=r"trunk: expected one of 'slice_resnet50', .* got 'resnet18'"
    ):
        build_competitor("hsm", "resnet18", rngs=nnx.Rngs(0))
    with pytest.raises(InputError, match=r"trunk: expected one of .* got 'resnet18'"):
        build_competitor("vit", "resnet18", rngs=nnx.Rngs(0))
