import numpy as np
import pytest

from cfx_jax.data.worlds.fundus import STAGES, add_lesions, ground, sample_anatomy, sample_lesions


def world(seed, severity=1.0, size=64):
    eye = sample_anatomy(np.random.default_rng(seed))
    retina = ground(np.random.default_rng(seed + 1), eye, eye.frame(size))
    lesions = sample_lesions(np.random.default_rng(seed), eye, severity=severity)
    return retina, add_lesions(retina, lesions, eye.frame(size)), lesions


def keep_only(lesions, kind):
    """The findings with all kinds but one emptied."""
    empty = {name: getattr(lesions, name) for name in lesions._fields[1:] if name != kind}
    return lesions._replace(
        **{n: s._replace(**{f: getattr(s, f)[:0] for f in s._fields[1:]}) for n, s in empty.items()}
    )


def test_every_diseased_eye_shows_something():
    for seed in range(100):
        retina, diseased, lesions = world(seed)
        assert lesions.microaneurysms.number >= 3
        assert np.abs(diseased - retina).max() > 0.1


def test_mild_eyes_have_no_exudates_and_severe_ones_more_of_all():
    drawn = [world(seed)[2] for seed in range(300)]
    mean = {
        stage: np.mean(
            [
                [len(spots.centres) for spots in lesions[1:]]
                for lesions in drawn
                if lesions.stage == stage
            ],
            0,
        )
        for stage in range(len(STAGES))
    }
    assert not mean[0][2:].any()
    assert (mean[0] < mean[1]).all() and (mean[1] < mean[2]).all()


@pytest.mark.parametrize("kind", ["microaneurysms", "haemorrhages"])
def test_blood_darkens_green_most(kind):
    eye = sample_anatomy(np.random.default_rng(0))
    retina = ground(np.random.default_rng(1), eye, eye.frame(64))
    for seed in range(20):
        lesions = keep_only(sample_lesions(np.random.default_rng(seed), eye, severity=1.0), kind)
        ratio = add_lesions(retina, lesions, eye.frame(64)) / retina
        assert (ratio <= 1 + 1e-6).all() and (ratio[..., 1] <= ratio[..., 0] + 1e-6).all()


@pytest.mark.parametrize("kind", ["hard_exudates", "soft_exudates"])
def test_exudates_brighten(kind):
    eye = sample_anatomy(np.random.default_rng(0))
    retina = ground(np.random.default_rng(1), eye, eye.frame(64))
    for seed in range(20):
        lesions = keep_only(sample_lesions(np.random.default_rng(seed), eye, severity=1.0), kind)
        assert (add_lesions(retina, lesions, eye.frame(64))[..., 1] >= retina[..., 1] - 1e-6).all()


def test_severity_raises_numbers_and_contrast():
    changes = [
        np.mean([np.abs(np.subtract(*world(i, s)[:2])).sum() for i in range(40)])
        for s in (0.3, 1.0, 2.0)
    ]
    assert changes[0] < 0.5 * changes[1] < changes[1] < 0.8 * changes[2]
