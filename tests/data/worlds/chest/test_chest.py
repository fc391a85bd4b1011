import numpy as np
import pytest

from cfx_jax.data.worlds.chest import (
    Distractors,
    heart_cover,
    sample_anatomy,
    sample_parts,
    with_heart,
)

COUNTS = Distractors(nipples=0, patches=0, fat_pads=1, wires=0, tubes=0, markers=0)
ANATOMY = sample_anatomy(np.random.default_rng(0))
FRAME = ANATOMY.frame(64)


@pytest.fixture(scope="module")
def parts():
    rngs = {
        name: np.random.default_rng(number)
        for number, name in enumerate(("bones", "vessels", "distractors"))
    }
    return sample_parts(COUNTS, ANATOMY, FRAME, **rngs)


def test_lung_is_darker_than_what_surrounds_it(parts):
    density, air = with_heart(parts, ANATOMY, FRAME)
    assert (
        density.dtype == np.float32 and density[air > 0.9].mean() < 0.6 * density[air < 0.1].mean()
    )


def test_heart_hides_the_lung_and_is_denser(parts):
    density, air = with_heart(parts, ANATOMY, FRAME)
    inside = heart_cover(ANATOMY, FRAME) == 1
    assert air[inside].mean() < 0.1 < parts.lung[inside].mean()
    assert density[inside].mean() > 1.5 * density[air > 0.9].mean()


def test_another_heart_changes_the_chest_near_its_border_only(parts):
    wide = ANATOMY._replace(heart=ANATOMY.heart + 0.3)
    before, after = (with_heart(parts, anatomy, FRAME) for anatomy in (ANATOMY, wide))
    changed = np.abs(after.density - before.density) > 1e-6
    x, y = ANATOMY.grid(FRAME)
    assert changed.any() and after.air.sum() < 0.95 * before.air.sum()
    beyond = (y < -0.4) | (y > 0.75) | (np.abs(x) < 0.05) & (np.abs(y - 0.2) < 0.1)
    assert not changed[beyond].any()
