import subprocess
import sys


def test_package_imports_without_opencv_and_grain_and_names_what_is_missing():
    program = """
import sys
sys.modules["cv2"] = sys.modules["grain"] = None
import numpy as np
from cfx_jax.data import ArraySource, SyntheticFundus, load_arrays, split, training_batches
from cfx_jax.errors import InputError
images, labels = np.zeros((4, 8, 8, 3), np.float32), np.array([0, 1, 0, 1])
source = ArraySource(images, labels, ("a", "b"))
load_arrays(source, split(labels, {"all": 1.0}, seed=0)["all"])
batches = lambda: training_batches(source, np.arange(4), batch_size=2, seed=0)
for use in (lambda: SyntheticFundus(1)[0], batches):
    try:
        use()
    except InputError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "'opencv-python-headless' is needed for drawing synthetic images" in done.stdout
    assert "'grain' is needed for reading batches for training" in done.stdout
