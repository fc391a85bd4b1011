"""Counterfactuals of a list of examples, kept in the workspace."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from cfx_jax.counterfactuals import Counterfactual, VCEProblem, vce_batch
from experiments.fundus_vce.config import Config
from experiments.fundus_vce.train import Classifiers
from experiments.shared.image_set import ImageSet
from experiments.shared.stages import Arrays, Workspace


class Search(NamedTuple):
    """What all counterfactuals share, and how they are found."""

    config: Config
    classifiers: Classifiers
    workspace: Workspace

    def find(
        self,
        stage: str,
        images: ImageSet,
        positions: Int[np.ndarray, " n"],
        targets: Int[np.ndarray, " n"],
        *,
        classifier: str,
        p: float,
        radii: Float[np.ndarray, " n"],
    ) -> Counterfactual:
        """The counterfactuals of some images, within the eye where an eye mask is known.

        Args:
            stage: name of what they are for.
            images: from which ...
            positions: ... these are taken, repeated where one has several targets or radii.
            targets: a class for each.
            classifier: its name.
            p: norm of the change.
            radii: one for each.
        """
        settings = self.config.explanations
        # The norms that have a projection are searched by APGD, which has no oracle.
        after_oracle = settings.mask_after_oracle and not VCEProblem(p).uses_apgd

        def compute() -> Arrays:
            arrays = images.arrays
            return vce_batch(
                self.classifiers.ordinary[classifier],
                arrays["image"][positions],
                targets,
                p=p,
                radius=radii,
                masks=arrays["eye_mask"][positions] if "eye_mask" in arrays else None,
                num_steps=settings.num_steps,
                mask_after_oracle=after_oracle,
                key=jax.random.key(self.config.seed),
                batch_size=self.config.batch_size,
                progress=f"l{p:g} counterfactuals of {classifier}",
            )._asdict()

        depends = [
            self.classifiers.identity,
            self.classifiers.temperatures,
            classifier,
            p,
            radii.tolist(),
            targets.tolist(),
            images.take(positions).identity,
            settings.num_steps,
            after_oracle,
            self.config.seed,
        ]
        return Counterfactual(
            **self.workspace.cached(f"vce-{stage}-{classifier}-l{p:g}", depends, compute)
        )


def part_of(found: Counterfactual, chosen: slice | np.ndarray) -> Counterfactual:
    """Some of the counterfactuals."""
    return Counterfactual(*(values[chosen] for values in found))
