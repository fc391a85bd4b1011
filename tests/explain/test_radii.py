import math

import pytest

from cfx_jax.errors import InputError
from cfx_jax.explain import automatic_radius


@pytest.mark.parametrize(("p", "radius"), [(1.5, 30.0), (2, 6.0), (4, 0.2)])
def test_published_images_have_the_published_radii(p, radius):
    assert automatic_radius((224, 224, 3), p) == pytest.approx(radius)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 4, 8, math.inf])
def test_the_strength_of_a_change_is_the_same_at_every_size(p):
    def strength(size):
        shape = (size, size, 3)
        share = 0 if math.isinf(p) else 1 / p
        return automatic_radius(shape, p) / math.prod(shape) ** share

    assert strength(32) == pytest.approx(strength(224))
    assert 0.2 / 150528**0.25 * 0.999 <= strength(32) <= 6 / 150528**0.5 * 1.001


def test_other_norms_are_named():
    with pytest.raises(InputError, match="p: expected"):
        automatic_radius((8, 8, 1), 0.5)
