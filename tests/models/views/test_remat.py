"""Blocks of a whole network keep their inputs alone, or all maps."""

import pytest
from flax import nnx

from cfx_jax.errors import InputError
from cfx_jax.models import resnet_small
from cfx_jax.models.layers import Block
from cfx_jax.models.views import with_remat


def test_every_block_of_a_network_is_set_and_set_back():
    network = nnx.eval_shape(lambda: resnet_small(num_classes=2, rngs=nnx.Rngs(0)))
    for remat in (True, False):
        view = with_remat(with_remat(network), remat=remat)
        blocks = [module for _, module in nnx.iter_modules(view) if isinstance(module, Block)]
        assert len(blocks) == 5 and {block.remat for block in blocks} == {remat}
    assert not network.stem.remat


def test_a_model_without_blocks_is_refused():
    linear = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    with pytest.raises(InputError, match="remat: expected a network of blocks"):
        with_remat(linear)
    assert isinstance(with_remat(linear, remat=False), nnx.Linear)
