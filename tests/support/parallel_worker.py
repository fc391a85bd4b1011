"""What tests/parallel/ runs in processes of their own, since the number of devices is fixed
when JAX starts.

``python parallel_worker.py devices OUT`` needs several devices,
``python parallel_worker.py process OUT PORT INDEX`` is one of two processes. Each writes what it
computed to OUT (.npz); the test compares that with one device.
"""

import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from compilations import counted_compilations
from flax import nnx
from jax.sharding import PartitionSpec

from cfx_jax import parallel
from cfx_jax.geometry import lp_ball_in_box
from cfx_jax.models import per_image
from cfx_jax.optimise import Problem, apgd, solve

COUNTS = (1, 8, 11)
BATCH_SIZES = (None, 1, 8)


class Example(NamedTuple):
    image: jax.Array
    target: jax.Array
    key: jax.Array


class SmallNet(nnx.Module):
    """A convolution, batch norm and a linear layer: what makes data-parallel training and
    explaining differ.
    """

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.conv = nnx.Conv(1, 4, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, images):
        return self.head(nnx.gelu(self.norm(self.conv(images))).mean((1, 2)))


def examples(count):
    rng = np.random.default_rng(count)
    images = rng.uniform(size=(count, 8, 8, 1)).astype(np.float32)
    keys = jax.vmap(jax.random.key)(np.arange(count))
    return Example(images, rng.integers(0, 3, count).astype(np.int32), keys)


def explain(classifier, example):
    """A gradient at a noisy copy of the image: weights, integer targets and random draws all take
    part.
    """
    image = example.image + 0.1 * jax.random.normal(example.key, example.image.shape)
    logits, gradient = jax.value_and_grad(lambda image: classifier(image)[example.target])(image)
    return {"logit": logits, "gradient": gradient}


@jax.jit
def train_step(state, images, labels):
    """One step of gradient descent with batch statistics over the whole batch."""
    graph, parameters, rest = nnx.split(state, nnx.Param, ...)

    def loss(parameters):
        model = nnx.view(nnx.merge(graph, parameters, rest, copy=True), use_running_average=False)
        log_probabilities = jax.nn.log_softmax(model(images))
        value = -jnp.take_along_axis(log_probabilities, labels[:, None], axis=1).mean()
        return value, nnx.split(model, nnx.Param, ...)[2]

    (value, rest), gradients = jax.value_and_grad(loss, has_aux=True)(parameters)
    parameters = jax.tree.map(lambda p, g: p - 0.5 * g, parameters, gradients)
    return value, nnx.merge(graph, parameters, rest)


def leaves(tree, prefix):
    return {
        f"{prefix}/{index}": np.asarray(leaf) for index, leaf in enumerate(jax.tree.leaves(tree))
    }


def reach(target, example):
    constraint = lp_ball_in_box(example, 0.3, 2)
    return Problem(apgd(constraint, num_steps=3), lambda x: ((x - target) ** 2).sum(), example)


def num_programs_of_a_search(mesh):
    with counted_compilations() as compilations:
        solve(reach, jnp.float32(0.75), examples(16).image, mesh=mesh)
    return len(compilations)


def many_devices():
    """Everything that one process does with its devices."""
    mesh, model = parallel.data_mesh(), SmallNet()
    classifier, results = per_image(model), {"num_devices": np.asarray(mesh.size)}
    for count in COUNTS:
        for size in BATCH_SIZES:
            answer = parallel.map_examples(explain, classifier, examples(count), batch_size=size)
            results |= leaves(answer, f"map/{count}/{size}")
    batch = examples(16)
    per_device = jax.tree.map(lambda leaf: leaf.reshape(8, 2, *leaf.shape[1:]), batch)
    batched = jax.vmap(explain, (None, 0))
    answer = jax.pmap(batched, in_axes=(None, 0))(classifier, per_device)
    results |= leaves(jax.tree.map(lambda leaf: leaf.reshape(16, *leaf.shape[2:]), answer), "pmap")
    data, whole = PartitionSpec("data"), PartitionSpec()
    manual = jax.shard_map(batched, mesh=mesh, in_specs=(whole, data), out_specs=data)
    results |= leaves(jax.jit(manual)(classifier, batch), "shard_map")
    results |= leaves(
        jax.jit(batched)(parallel.replicate(classifier, mesh), parallel.shard(batch, mesh)), "mesh"
    )
    images, labels = parallel.shard((batch.image, batch.target), mesh)
    results |= leaves(
        parallel.gather(train_step(parallel.replicate(model, mesh), images, labels)), "train"
    )
    two = parallel.data_mesh(devices=jax.devices()[:2])
    for devices in (jax.devices()[:1], jax.devices()):
        programs = num_programs_of_a_search(parallel.data_mesh(devices=devices))
        results[f"programs_of_a_search/{len(devices)}"] = np.asarray(programs)
    results["two_of_eight"] = np.asarray(len(parallel.shard(batch.image, two).sharding.device_set))
    return results


def one_of_two_processes(index):
    """The same, with the examples spread over two processes; training reads its own half of the
    batch.
    """
    mesh, model, results = parallel.data_mesh(), SmallNet(), {}
    results["num_devices"] = np.asarray(mesh.size)
    answer = parallel.map_examples(
        explain, per_image(model), examples(11), batch_size=4, progress="explain"
    )
    results |= leaves(answer, "map/11/4")
    batch = examples(16)
    half = slice(8 * index, 8 * index + 8)
    images, labels = parallel.shard_local((batch.image[half], batch.target[half]), mesh)
    assert images.shape == (16, 8, 8, 1)
    results |= leaves(parallel.gather((images, labels)), "gathered")
    return results | leaves(
        parallel.gather(train_step(parallel.replicate(model, mesh), images, labels)), "train"
    )


if __name__ == "__main__":
    mode, out, *rest = sys.argv[1:]
    if mode == "process":
        parallel.start_distributed(
            coordinator=f"localhost:{rest[0]}", num_processes=2, index=int(rest[1])
        )
    np.savez(out, **(many_devices() if mode == "devices" else one_of_two_processes(int(rest[1]))))
