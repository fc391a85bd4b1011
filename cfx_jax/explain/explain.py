"""``explain``: many images, several methods, one classifier."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.arrays import AnyArray
from cfx_jax.callables import as_pytree, call
from cfx_jax.checks import (
    check_choice,
    check_images,
    check_integer,
    check_key,
    check_positive,
    check_targets,
)
from cfx_jax.diagnosis import diagnose
from cfx_jax.errors import InputError
from cfx_jax.explain.explanations import Explanations
from cfx_jax.explain.methods import METHODS, Example, Settings, with_layer
from cfx_jax.explain.printing import printable
from cfx_jax.explain.radii import automatic_radius
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import example_keys, map_examples

_DIAGNOSED = 8
"""Images that a diagnosis looks at."""
_WIDER = 4.0
"""``smallest`` looks at most at so many times the radius."""


def explain(
    classifier: Classifier,
    images: Float[AnyArray, "n h w c"],
    *,
    methods: Sequence[str] = ("vce", "smallest", "integrated_gradients"),
    targets: str | int | Sequence[int | str] | Int[AnyArray, " n"] = "runner_up",
    classes: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    p: float = 2.0,
    radius: float | str = "auto",
    probability: float = 0.9,
    num_steps: int = Settings.num_steps,
    num_nodes: int = Settings.num_nodes,
    num_samples: int = Settings.num_samples,
    layer: str | None = None,
    window: int | None = None,
    key: PRNGKeyArray | None = None,
    batch_size: int | None = None,
    mesh: jax.sharding.Mesh | None = None,
    progress: bool = False,
) -> Explanations:
    """Explains a classifier's decisions on images.

    A diagnosis comes first: what it finds wrong stops the call, what may be wrong is kept beside
    the explanations. Counterfactuals go to the target class; maps explain the predicted one.

    Args:
        classifier: one image -> logits ``(k,)``, from ``adapters``, ``models.per_image`` or your
            own.
        images: values in [0, 1].
        methods: names of ``METHODS``.
        targets: ``"runner_up"`` takes each image's second most probable class; a class (its number,
            or its name in ``classes``) takes it for all images, or one for each image. A target
            that is predicted already stays, and its counterfactual is more of the same.
        classes: names of the classes, in the order of the logits; None numbers them.
        names: of the images; None numbers them.
        p: norm of the counterfactuals' changes, at least 1 or inf.
        radius: largest norm of the change; ``"auto"`` scales the published ones to the images
            (``automatic_radius``). ``smallest`` looks up to four times as far.
        probability: of the target class that ``smallest`` looks for, between 0 and 1.
        num_steps: of a search for a counterfactual.
        num_nodes: of integrated gradients.
        num_samples: of SmoothGrad.
        layer: whose feature maps the class activation maps show, by its name in
            ``classifier.layers(image)``; None takes the last one with spatial axes, and the
            settings of the explanations name it.
        window: side of the square that occlusion hides, in pixels; None takes an eighth of the
            image's shorter side.
        key: for what is random; image i takes ``fold_in(key, i)``. None: ``jax.random.key(0)``.
        batch_size: images computed at once; None takes all. Changes nothing but memory and speed.
        mesh: the devices; None takes all.
        progress: shows a bar for each method.

    Returns:
        The explanations.

    Raises:
        InputError: images that are none, unknown methods, classes that do not exist, or whatever
            else ``diagnose`` finds wrong.

    Example:
        >>> import jax.numpy as jnp, numpy as np
        >>> from cfx_jax.explain import explain
        >>> def classifier(image):
        ...     evidence = image[:2].sum() - image[2:].sum()
        ...     return jnp.stack([-evidence, evidence])
        >>> images = np.linspace(0.3, 0.7, 32, dtype=np.float32).reshape(2, 4, 4, 1)
        >>> answers = explain(classifier, images, methods=["vce"], radius=2.0, num_steps=3)
        >>> answers.pictures["vce"].shape, answers.scores["vce"]["valid"].tolist()
        ((2, 4, 4, 1), [1.0, 1.0])
    """
    images = np.asarray(images)
    check_images(images)
    _check_channels(images)
    check_key(key, or_none=True)
    _check_methods(methods)
    names = _names(names, len(images))
    radius = _radius(radius, images.shape[1:], p)
    settings = Settings(
        p,
        radius,
        _WIDER * radius,
        probability,
        num_steps,
        num_nodes,
        num_samples,
        layer,
        window,
    )
    settings = with_layer(settings, methods, classifier, images[0])
    warnings = _diagnosed(classifier, images)
    held = as_pytree(classifier)
    devices: dict[str, Any] = {"batch_size": batch_size, "mesh": mesh}
    logits = map_examples(call, held, images, **devices)
    _check_logits(logits, names)
    class_names = _class_names(classes, logits.shape[1])
    chosen = _targets(targets, logits, class_names)
    keys = example_keys(jax.random.key(0) if key is None else key, jnp.arange(len(images)))
    arrays: Any = (images, logits.argmax(1), chosen, keys)
    examples = Example(*arrays)
    outcomes = {
        name: map_examples(
            partial(METHODS[name].compute, settings),
            held,
            examples,
            progress=name if progress else False,
            **devices,
        )
        for name in methods
    }
    return Explanations(
        images=images,
        names=names,
        classes=class_names,
        logits=logits,
        targets=chosen,
        pictures={name: outcome.picture for name, outcome in outcomes.items()},
        scores={name: outcome.scores for name, outcome in outcomes.items()},
        settings=settings,
        warnings=warnings,
    )


def _diagnosed(classifier: Classifier, images: Float[np.ndarray, "n h w c"]) -> tuple[str, ...]:
    """The warnings of a diagnosis; its first error is raised."""
    findings = diagnose(classifier, images[:_DIAGNOSED])
    for finding in findings:
        if finding.severity == "error":
            raise InputError(finding.message)
    return tuple(finding.message for finding in findings)


def _check_channels(images: Float[np.ndarray, "n h w c"]) -> None:
    if images.shape[3] not in (1, 3):
        raise InputError(
            f"images: expected 1 or 3 channels, which a page can show, got {images.shape[3]}: call"
            " the methods of cfx_jax.attributions and cfx_jax.counterfactuals, which take any"
        )


def _check_methods(methods: Sequence[str]) -> None:
    if isinstance(methods, str) or not methods:
        raise InputError(f"methods: expected one or more names in a list, got {methods!r}")
    for method in methods:
        check_choice(method, tuple(METHODS), name="methods")


def _radius(radius: float | str, shape: tuple[int, ...], p: float) -> float:
    if isinstance(radius, str):
        check_choice(radius, ("auto",), name="radius")
        return automatic_radius(shape, p)
    check_positive(radius, name="radius")
    return float(radius)


def _check_logits(logits: Float[np.ndarray, "n k"], names: tuple[str, ...]) -> None:
    """A diagnosis looks at the first images; this at all."""
    wrong = np.flatnonzero(~np.isfinite(logits).all(1))
    if len(wrong):
        raise InputError(
            f"classifier: expected finite logits, got NaN or infinity on {len(wrong)} of"
            f" {len(logits)} images, the first of them {names[wrong[0]]}: leave these images out"
            " or mend the model"
        )


def _class_names(classes: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if classes is None:
        return tuple(f"class {number}" for number in range(count))
    _check_texts(classes, "classes")
    if len(classes) != count or len(set(classes)) != count:
        raise InputError(
            f"classes: expected {count} different names, one for each logit, got {list(classes)}"
        )
    return tuple(map(printable, classes))


def _names(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"image {number}" for number in range(count))
    _check_texts(names, "names")
    if len(names) != count:
        raise InputError(f"names: expected {count}, one for each image, got {len(names)}")
    return tuple(map(printable, names))


def _check_texts(texts: Sequence[str], name: str) -> None:
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{name}: expected texts in a list, got {texts!r}")


def _targets(
    targets: Any, logits: Float[np.ndarray, "n k"], classes: tuple[str, ...]
) -> Int[np.ndarray, " n"]:
    if isinstance(targets, str) and targets == "runner_up":
        return np.argsort(logits, axis=1, kind="stable")[:, -2]
    if np.ndim(targets) == 0:
        targets = [targets] * len(logits)
    numbers = [_number(target, classes) for target in targets]
    return np.asarray(check_targets(np.array(numbers), len(classes), count=len(logits)))


def _number(target: Any, classes: tuple[str, ...]) -> int:
    if isinstance(target, str):
        check_choice(target, classes, name="targets")
        return classes.index(target)
    check_integer(target, name="targets", at_least=0)
    return int(target)
