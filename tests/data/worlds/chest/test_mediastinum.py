import numpy as np

from cfx_jax.data.worlds.chest import enlarge_heart, heart_cover, sample_anatomy
from cfx_jax.data.worlds.chest.lungs import LEFT, RIGHT, lung_outline
from cfx_jax.data.worlds.chest.mediastinum import airway_cover, heart_outline, mediastinal_cover

CHESTS = [sample_anatomy(np.random.default_rng(i))._replace(tilt=0.0) for i in range(100)]


def test_heart_is_about_half_as_wide_as_the_chest_and_lies_to_the_left():
    for chest in CHESTS:
        heart = heart_outline(chest)[:, 0]
        width = lung_outline(chest, LEFT)[:, 0].max() - lung_outline(chest, RIGHT)[:, 0].min()
        assert 0.35 < np.ptp(heart) / width < 0.65  # cardiothoracic ratio
        assert heart.max() > 1.5 * -heart.min()


def test_enlarged_heart_is_wider_by_its_growth_and_stays_in_the_chest():
    for number, chest in enumerate(CHESTS):
        growths = [
            enlarge_heart(np.random.default_rng(number), chest, severity=severity).heart
            - chest.heart
            for severity in (0.5, 1)
        ]
        assert 0.1 <= growths[0] <= 0.2 and np.isclose(growths[1], 2 * growths[0])
        widest = enlarge_heart(np.random.default_rng(number), chest, severity=50.0)
        assert widest == chest._replace(heart=widest.heart)
        assert np.ptp(heart_outline(widest)[:, 0]) < 2 * chest.width


def test_heart_covers_the_area_inside_its_outline():
    for chest in CHESTS[:20]:
        frame = chest.frame(64)
        x, y = heart_outline(chest).T
        area = 0.5 * abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))  # the shoelace formula
        assert np.isclose(
            heart_cover(chest, frame).sum(), area * (frame.radius * frame.size) ** 2, rtol=0.04
        )


def test_midline_is_hidden_and_the_outer_lungs_are_not():
    for chest in CHESTS[:20]:
        hidden = mediastinal_cover(chest, chest.frame(64))
        x, y = chest.grid(chest.frame(64))
        assert hidden[(np.abs(x) < 0.08) & (np.abs(y) < 0.3)].min() > 0.9
        assert hidden[(np.abs(x) > 0.65)].max() < 0.05


def test_airway_runs_down_the_midline_and_forks():
    chest = CHESTS[0]
    air = airway_cover(chest, chest.frame(128))
    x, y = chest.grid(chest.frame(128))
    assert air[(np.abs(x) < 0.03) & (y < -0.5)].min() > 0.5
    for side in (-1, 1):
        assert air[(np.abs(side * x - 0.15) < 0.05) & (np.abs(y + 0.18) < 0.05)].max() > 0.3
    assert air[(np.abs(x) < 0.03) & (y > -0.15)].max() < 0.1
