import numpy as np

from cfx_jax.data.worlds.ct.chest_anatomy import sample_trunk


def test_grid_undoes_placing():
    trunk = sample_trunk(np.random.default_rng(0))
    frame = trunk.frame(64)
    x, y = trunk.grid(frame)
    placed = trunk.place(np.stack([x[20, 40], y[20, 40]]))
    np.testing.assert_allclose(
        (np.array(frame.centre) + placed * frame.radius) * 64 - 0.5, (40, 20), atol=1e-4
    )


def test_trunks_fit_into_the_picture_and_differ():
    trunks = [sample_trunk(np.random.default_rng(seed)) for seed in range(100)]
    for trunk in trunks:
        sides = np.array(trunk.centre) + trunk.radius * trunk.place(
            np.array([(-0.95, 0.0), (0.95, 0.0)])
        )
        assert sides.min() > 0 and sides.max() < 1
    assert np.std([trunk.inspiration for trunk in trunks]) > 0.4
