import numpy as np

from cfx_jax.data.worlds.drawing import unit_grid
from cfx_jax.data.worlds.fundus import eye_coverage, ground, sample_anatomy

EYES = [sample_anatomy(np.random.default_rng(i)) for i in range(200)]


def ground_of(eye, size=64, seed=0):
    return ground(np.random.default_rng(seed), eye, eye.frame(size))


def mean_around(image, eye, place, radius):
    x, y = unit_grid(eye.frame(image.shape[0]))
    return image[np.hypot(x - place[0], y - place[1]) < radius].mean(0)


def test_field_of_view_is_a_disc_inside_the_picture():
    for eye in EYES[:20]:
        covered = eye_coverage(eye.frame(64))
        assert abs(covered.sum() / (np.pi * (64 * eye.radius) ** 2) - 1) < 0.02
        assert covered.min() == 0 and covered.max() == 1


def test_both_sides_occur_and_the_disc_lies_to_the_nose():
    sides = np.array([eye.nasal for eye in EYES])
    assert 60 < (sides > 0).sum() < 140
    assert all(np.sign(eye.disc[0] - eye.fovea[0]) == eye.nasal for eye in EYES)


def test_disc_is_inside_the_field_of_view():
    assert all(np.hypot(*eye.disc) + eye.disc_radius < 1 for eye in EYES)


def test_disc_is_brighter_and_macula_darker_than_their_surroundings():
    for eye in EYES[:30]:
        image = ground_of(eye).mean(-1, keepdims=True)
        opposite = 2 * eye.fovea - eye.disc  # as far from the fovea on the other side
        assert mean_around(image, eye, eye.disc, 0.1) > mean_around(image, eye, opposite, 0.1) * 1.1
        assert mean_around(image, eye, eye.fovea, 0.1) < mean_around(
            image, eye, eye.fovea + np.array([0, 0.6]), 0.1
        )


def test_retina_is_reddish():
    for eye in EYES[:30]:
        red, green, blue = mean_around(ground_of(eye), eye, (0, 0), 0.9)
        assert red > 1.3 * green > 1.3 * blue


def test_same_eye_at_twice_the_resolution():
    coarse, fine = ground_of(EYES[0]), ground_of(EYES[0], size=128)
    inside = eye_coverage(EYES[0].frame(64)) == 1
    averaged = fine.reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(averaged - coarse)[inside].mean() < 0.01
