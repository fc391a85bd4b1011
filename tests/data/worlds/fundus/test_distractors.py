import numpy as np

from cfx_jax.data.worlds.fundus import add_distractors, ground, sample_anatomy

EYE = sample_anatomy(np.random.default_rng(0))
FRAME = EYE.frame(64)
RETINA = ground(np.random.default_rng(1), EYE, FRAME)
DRAWN = [add_distractors(np.random.default_rng(seed), RETINA, EYE, FRAME) for seed in range(200)]


def test_an_eye_without_any_is_left_alone():
    bare = [image for image, counts in DRAWN if not any(counts)]
    assert bare and all((image == RETINA).all() for image in bare)


def test_pigment_dots_darken_and_drusen_brighten():
    for image, counts in DRAWN:
        if counts.pigment_dots and not any(counts._replace(pigment_dots=0)):
            assert (image <= RETINA + 1e-6).all() and (image < RETINA - 0.05).any()
        if counts.drusen and not any(counts._replace(drusen=0)):
            assert (image[..., 1] >= RETINA[..., 1] - 1e-6).all() and (image > RETINA + 0.05).any()


def test_reflex_lies_along_the_rim():
    x, y = np.meshgrid(*2 * [(np.arange(64) + 0.5) / 64 * 2 - 1])
    for image, counts in DRAWN:
        if counts.reflexes and not any(counts._replace(reflexes=0)):
            assert np.abs(image - RETINA)[np.hypot(x, y) < 0.6].max() < 1e-6
            assert (image - RETINA).max() > 0.02


def test_every_kind_occurs():
    assert (np.mean([counts for _, counts in DRAWN], 0) > 0).all()
