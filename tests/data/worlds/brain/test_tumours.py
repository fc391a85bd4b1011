import numpy as np
import pytest

from cfx_jax.data.worlds.brain import KINDS, add_tumour, sample_anatomy, sample_tumour, tumour_cover
from cfx_jax.data.worlds.brain.tissue import brain_cover

HEADS = [sample_anatomy(np.random.default_rng(i)) for i in range(200)]
TUMOURS = [
    sample_tumour(np.random.default_rng(i), head, severity=1.0) for i, head in enumerate(HEADS)
]
MATTER = np.full((128, 128), 0.5, np.float32)


def drawn(number, tumour=None):
    tumour, frame = tumour or TUMOURS[number], HEADS[number].frame(128)
    cover = tumour_cover(tumour, frame)
    return cover, add_tumour(np.random.default_rng(0), MATTER, tumour, cover, frame)


def test_areas_are_those_stated_and_in_the_published_range():
    shares = np.array(
        [
            tumour_cover(tumour, head.frame(128)).mean()
            for tumour, head in zip(TUMOURS, HEADS, strict=True)
        ]
    )
    np.testing.assert_allclose(shares, [tumour.area for tumour in TUMOURS], rtol=0.06)
    assert shares.min() > 0.005 and shares.max() < 0.05 and 0.014 < shares.mean() < 0.021


def test_whole_tumours_lie_in_the_brain():
    outside = [
        (tumour_cover(tumour, head.frame(128)) * (1 - brain_cover(head, head.frame(128)))).sum()
        / (128**2 * tumour.area)
        for tumour, head in zip(TUMOURS, HEADS, strict=True)
    ]
    assert np.max(outside) < 0.1 and np.mean(outside) < 0.01


def test_every_kind_occurs_and_rings_are_the_most_frequent():
    shares = np.bincount([tumour.kind for tumour in TUMOURS], minlength=3) / len(TUMOURS)
    np.testing.assert_allclose(shares, (0.64, 0.22, 0.14), atol=4 * np.sqrt(0.24 / len(TUMOURS)))


def test_nothing_is_changed_off_the_tumour():
    for number in range(20):
        cover, image = drawn(number)
        np.testing.assert_array_equal(image[cover == 0], MATTER[cover == 0])


@pytest.mark.parametrize("kind", KINDS)
def test_rings_surround_a_dark_core_solid_tumours_are_bright_and_faint_ones_are_not(kind):
    for number in [i for i, tumour in enumerate(TUMOURS) if KINDS[tumour.kind] == kind][:15]:
        cover, image = drawn(number)
        y, x = np.nonzero(cover > 0.9)
        core = image[round(y.mean()), round(x.mean())]
        if kind == "ring":
            assert image.max() > 0.6 and core < image.max() - 0.2
        elif kind == "solid":
            assert image[cover > 0.9].mean() > 0.6
        else:
            assert image[cover > 0.9].mean() < 0.65


def test_severity_scales_the_contrast():
    fainter, stronger = (
        sample_tumour(np.random.default_rng(4), HEADS[4], severity=severity)
        for severity in (0.3, 1.6)
    )
    changes = [
        np.abs(drawn(4, tumour)[1] - MATTER).max() for tumour in (fainter, TUMOURS[4], stronger)
    ]
    assert changes[0] == pytest.approx(0.3 * changes[1], rel=1e-4) and changes[1] < changes[2]
