"""Images as vectors: what Fréchet distances, closeness and verification compare."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.models import FeatureExtractor, classifier_extractor, extract_features, inception_extractor
from experiments.image_set import ImageSet
from experiments.progressive_exaggeration.config import Config
from experiments.progressive_exaggeration.network import Network
from experiments.progressive_exaggeration.sweeps import Sweeps
from experiments.stages import Workspace


class Features(NamedTuple):
    """A network that turns images into vectors, which are kept in the workspace.

    Attributes:
        extractor: the network, whose name stands beside every figure.
        identity: what its weights depend on.
        batch_size: images at once.
        workspace: keeps the vectors.
    """

    extractor: FeatureExtractor
    identity: object
    batch_size: int
    workspace: Workspace

    def of_images(self, images: ImageSet) -> Float[np.ndarray, "n d"]:
        """Those of real images."""
        return self._of("images", images.identity, lambda: images.arrays["image"])

    def of_counterfactuals(self, images: ImageSet) -> Float[np.ndarray, "n d"] | None:
        """Those of the images' true counterfactuals, where they are known."""
        if "counterfactual" not in images.arrays:
            return None
        return self._of("counterfactuals", images.identity, lambda: images.arrays["counterfactual"])

    def of_sweeps(self, found: Sweeps) -> Float[np.ndarray, "n k d"]:
        """Those of every image of every series."""
        images = np.asarray(found.found.images)
        flat = self._of(found.name, found.identity, lambda: images.reshape(-1, *images.shape[2:]))
        return flat.reshape(*images.shape[:2], -1)

    def _of(self, name: str, depends: object, images: Callable[[], np.ndarray]) -> Float[np.ndarray, "n d"]:
        def compute() -> dict[str, np.ndarray]:
            label = f"features of {name}"
            return {"values": extract_features(self.extractor, images(), batch_size=self.batch_size, progress=label)}

        return self.workspace.cached(f"features {name}", [self.extractor.name, self.identity, depends], compute)[
            "values"
        ]


def features_by(config: Config, judge: Network, workspace: Workspace) -> Features:
    """Inception's features where there is a file of its weights, else the judge's."""
    if config.inception:
        extractor = inception_extractor(config.inception)
    else:
        extractor = classifier_extractor(judge.model, name=f"{config.classifier.model} trained on these images")
    return Features(extractor, judge.identity, config.batch_size, workspace)
