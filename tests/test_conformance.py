"""Every algorithm, attribution and counterfactual through one table of properties that all of them must have."""

import json
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import conformance_table as table
import jax
import jax.numpy as jnp
import numpy as np
import pytest

METHODS = sorted(table.methods(1.0))
TRACES = []


def counted(name, scale, key, image):
    TRACES.append(name)
    return table.call(name, scale, key, image)


@cache
def alone(name):
    return jax.jit(partial(counted, name))


@cache
def mapped(name):
    return jax.jit(jax.vmap(partial(table.call, name), in_axes=(None, 0, 0)))


@pytest.mark.parametrize("name", METHODS)
def test_jit_equals_eager_and_vmap_equals_a_loop_with_one_compilation(name):
    looped = [alone(name)(1.0, key, image) for key, image in zip(table.KEYS, table.IMAGES, strict=True)]
    assert looped[0].dtype == jnp.float32
    assert looped[0].shape == table.IMAGES[0].shape
    assert TRACES.count(name) == 1
    np.testing.assert_allclose(table.call(name, 1.0, table.KEYS[0], jnp.asarray(table.IMAGES[0])), looped[0], atol=2e-4)
    np.testing.assert_allclose(mapped(name)(1.0, table.KEYS, table.IMAGES), np.stack(looped), atol=2e-4)


@pytest.mark.parametrize("name", METHODS)
def test_finite_on_constant_images_and_saturated_classifiers(name):
    for value in (0.0, 0.5, 1.0):
        assert np.isfinite(alone(name)(1.0, table.KEYS[0], np.full_like(table.IMAGES[0], value))).all()
    assert np.isfinite(alone(name)(1e4, table.KEYS[0], table.IMAGES[0])).all()


@pytest.mark.parametrize("name", METHODS)
def test_an_image_does_not_depend_on_its_batch(name):
    whole = mapped(name)(1.0, table.KEYS, table.IMAGES)
    others = table.IMAGES.copy()
    others[1:] = 1 - others[1:]
    np.testing.assert_allclose(mapped(name)(1.0, table.KEYS, others)[0], whole[0], atol=1e-6)


@pytest.fixture(scope="module")
def on_eight_devices():
    """Results under pmap, shard_map, a mesh and one device, from a process with 8 virtual devices."""
    script = Path(table.__file__)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=table.environment(8))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", table.ON_DEVICES)
@pytest.mark.parametrize("way", ["pmap", "shard_map", "mesh"])
def test_eight_devices_equal_one(name, way, on_eight_devices):
    found, expected = on_eight_devices[name][way], on_eight_devices[name]["single"]
    np.testing.assert_allclose(found, expected, atol=2e-4)
