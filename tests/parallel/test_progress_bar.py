import jax.numpy as jnp
import numpy as np

from cfx_jax import parallel


def test_a_label_names_the_progress_bar(capsys):
    numbers = np.arange(5.0)
    parallel.map_examples(jnp.multiply, 2.0, numbers, batch_size=2, progress="doubling")
    assert "doubling" in capsys.readouterr().err
    parallel.map_examples(jnp.multiply, 2.0, numbers, batch_size=2, progress=True)
    assert "0/3" in capsys.readouterr().err
    parallel.map_examples(jnp.multiply, 2.0, numbers, batch_size=2)
    assert capsys.readouterr().err == ""
