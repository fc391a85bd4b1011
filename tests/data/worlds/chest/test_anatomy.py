import numpy as np

from cfx_jax.data.worlds.chest import sample_anatomy

CHESTS = [sample_anatomy(np.random.default_rng(i)) for i in range(300)]
STRAIGHT = CHESTS[0]._replace(width=1.0, tilt=0.0)


def test_a_straight_chest_of_mean_width_is_placed_as_described():
    points = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(STRAIGHT.place(points), points)


def test_grid_holds_the_chest_coordinates_of_the_placed_pixels():
    for chest in CHESTS[:20]:
        frame = chest.frame(32)
        placed = chest.place(np.stack(chest.grid(frame), -1))
        share = (np.arange(32) + 0.5) / 32
        np.testing.assert_allclose(
            placed[..., 0], np.tile((share - chest.centre[0]) / chest.radius, (32, 1)), atol=1e-5
        )
        np.testing.assert_allclose(
            placed[..., 1].T, np.tile((share - chest.centre[1]) / chest.radius, (32, 1)), atol=1e-5
        )


def test_chests_differ_in_everything():
    columns = zip(*(chest[1:] for chest in CHESTS), strict=True)
    assert all(np.std(values) > 0.01 for values in columns)
    assert 0.3 < np.mean([chest.breasts > 0 for chest in CHESTS]) < 0.6
