"""Images as vectors, which Fréchet distances, closeness and verification compare."""

import hashlib
import importlib
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from cfx_jax.models import (
    FeatureExtractor,
    classifier_extractor,
    extract_features,
    inception_extractor,
)
from experiments.progressive_exaggeration.label_study.classifiers import Network
from experiments.progressive_exaggeration.label_study.explanations import Sweeps
from experiments.progressive_exaggeration.setup import Setup
from experiments.shared import ImageSet, InputError, Workspace

Vectors = Callable[[Float[np.ndarray, "n h w c"]], Float[np.ndarray, "n d"]]
"""Images in [0, 1] -> a vector for each."""


class Features(NamedTuple):
    """A function from images to vectors, which are kept in the workspace.

    Attributes:
        name: the name beside every figure.
        vectors: computes the features of images.
        identity: what the vectors depend on.
        batch_size: how many images are computed at once.
        workspace: keeps the vectors.
    """

    name: str
    vectors: Vectors
    identity: object
    batch_size: int
    workspace: Workspace

    def of_images(self, images: ImageSet) -> Float[np.ndarray, "n d"]:
        """The vectors of real images."""
        return self._of("images", images.identity, images.chunks())

    def of_counterfactuals(self, images: ImageSet) -> Float[np.ndarray, "n d"] | None:
        """The vectors of the images' true counterfactuals; None where these are not known."""
        if "counterfactual" not in images.source[int(images.indices[0])]:
            return None
        return self._of("counterfactuals", images.identity, images.chunks(field="counterfactual"))

    def of_sweeps(self, sweeps: Sweeps) -> Float[np.ndarray, "n k d"]:
        """The vectors of every image of every series."""
        images = np.asarray(sweeps.series.images)  # a view of what lies on disk
        parts = (images[rows].reshape(-1, *images.shape[2:]) for rows in sweeps.parts())
        return self._of(sweeps.name, sweeps.identity, parts).reshape(*images.shape[:2], -1)

    def _of(
        self, name: str, depends: object, parts: Iterable[np.ndarray]
    ) -> Float[np.ndarray, "n d"]:
        """The parts are read only where the vectors are not kept yet."""
        identity = [self.name, self.identity, depends]
        return self.workspace.cached(
            f"features {name}",
            identity,
            lambda: {"values": np.concatenate([self.vectors(part) for part in parts])},
        )["values"]


def features_by(setup: Setup, judge: Network) -> Features:
    """Inception's features where there is a file of its weights, else the judge's."""
    config, _, workspace = setup
    if config.inception:
        extractor = inception_extractor(config.inception)
    else:
        extractor = classifier_extractor(
            judge.model, name=f"{config.classifier.model} trained on these images"
        )
    return Features(
        extractor.name,
        _extracted(extractor, config.batch_size),
        judge.identity,
        config.batch_size,
        workspace,
    )


def recognised_by(setup: Setup) -> Features | None:
    """The vectors of the user's own recogniser of faces; None where none is named.

    Raises:
        InputError: ``recogniser`` is not MODULE:FUNCTION, cannot be imported, or is no function.
    """
    config, _, workspace = setup
    if not config.recogniser:
        return None
    module_name, _, function_name = config.recogniser.partition(":")
    if not module_name or not function_name:
        raise InputError(
            "--recogniser: expected MODULE:FUNCTION, such as faces:embed, got"
            f" {config.recogniser!r}"
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise InputError(
            f"--recogniser: {module_name!r} cannot be imported ({error}): start where it lies, or"
            " install it"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InputError(
            f"--recogniser: expected a function {function_name!r} in {module_name!r}, got"
            f" {function!r}"
        )
    source = inspect.getsourcefile(module)
    code = hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else ""
    return Features(config.recogniser, _recognised(function), code, config.batch_size, workspace)


def _extracted(extractor: FeatureExtractor, batch_size: int) -> Vectors:
    return lambda images: extract_features(extractor, images, batch_size=batch_size)


def _recognised(function: Callable[[np.ndarray], np.ndarray]) -> Vectors:
    def vectors(images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "n d"]:
        values = np.asarray(function(np.clip(images, 0, 1)))
        finite = np.isfinite(values).all()
        if values.ndim != 2 or len(values) != len(images) or not finite:
            raise InputError(
                f"--recogniser: expected finite vectors (n, d) of n = {len(images)} images, got"
                f" shape {values.shape}{'' if finite else ' with numbers that are not finite'}:"
                " correct the function"
            )
        return values

    return vectors
