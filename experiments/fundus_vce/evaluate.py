"""Table 1: accuracy, balanced accuracy and robust accuracy of each classifier."""

import jax
import numpy as np

from cfx_jax.metrics import robustly_correct
from cfx_jax.parallel import map_examples
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.train import NAMES, Classifiers, classify
from experiments.stages import Arrays, Workspace


def evaluate(config: Config, data: Data, classifiers: Classifiers, workspace: Workspace) -> Arrays:
    """Which test images each classifier gets right, clean and under attack.

    Returns:
        ``correct_NAME`` (n,) on the whole test split, ``robust_NAME`` (m,) on its first m images, for each name.
    """
    test = data.part("test")
    attacked = min(config.robust_accuracy.num_images, len(test["label"]))

    def compute() -> Arrays:
        arrays: Arrays = {}
        for name in NAMES:
            classifier = classifiers.ordinary[name]
            logits = map_examples(classify, classifier, test["image"], batch_size=256)
            arrays[f"correct_{name}"] = logits.argmax(axis=1) == test["label"]
            arrays[f"robust_{name}"] = robustly_correct(
                jax.random.key(config.seed),
                classifier,
                test["image"][:attacked],
                test["label"][:attacked],
                radius=config.robust_accuracy.radius,
                num_steps=config.robust_accuracy.num_steps,
                num_restarts=config.robust_accuracy.num_restarts,
                batch_size=4 * config.batch_size,
                progress=f"attack on {name}",
            )
        return arrays

    depends = [classifiers.identity, classifiers.temperatures, config.robust_accuracy, config.seed]
    arrays = workspace.cached("evaluation", depends, compute)
    return {**arrays, "label": np.asarray(test["label"])}
