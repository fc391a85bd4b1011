"""``explain``: many images, several methods, one classifier."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import Any
from warnings import warn

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int, PRNGKeyArray

from cfx_jax.array_types import AnyArray
from cfx_jax.checks import check_count, check_key, check_texts
from cfx_jax.compilation import as_pytree
from cfx_jax.data import ImageSource
from cfx_jax.errors import InputError
from cfx_jax.explain import run_preparation
from cfx_jax.explain.batches import Programs, ahead, decide, group_members, stream
from cfx_jax.explain.explanation import Explanation
from cfx_jax.explain.explanations import Explanations, load_explanations
from cfx_jax.explain.generator_methods import as_trained, draw_generators
from cfx_jax.explain.images import Images, images_of
from cfx_jax.explain.methods import with_layer
from cfx_jax.explain.name_cleaning import clean_name
from cfx_jax.explain.result_folder import Skipped, Store, open_store, prepare_folder
from cfx_jax.explain.run_manifest import Run, first_facts, matmul_precision, provenance
from cfx_jax.explain.settings import Settings
from cfx_jax.explain.trained import TrainedGenerator
from cfx_jax.files import as_path
from cfx_jax.objectives import Classifier
from cfx_jax.parallel import ExampleMap, is_local

_WIDER = 4.0
"""``smallest`` looks at most at so many times the radius."""
_WRITERS = 4


def explain(
    classifier: Classifier,
    images: Float[AnyArray, "n h w c"] | ImageSource,
    *,
    methods: Sequence[str] = ("vce", "smallest", "integrated_gradients"),
    targets: str | int | Sequence[int | str] | Int[AnyArray, " n"] = "runner_up",
    classes: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    p: float = 2.0,
    radius: float | str = "auto",
    radii: Sequence[float] = Settings.radii,
    probability: float = 0.9,
    num_steps: int = Settings.num_steps,
    num_nodes: int = Settings.num_nodes,
    num_samples: int = Settings.num_samples,
    generators: Sequence[TrainedGenerator | str | Path] = (),
    layer: str | None = None,
    occlusion_window: int | None = None,
    key: PRNGKeyArray | None = None,
    folder: str | PathLike[str] | None = None,
    shard: tuple[int, int] = (1, 1),
    replace: bool = False,
    notes: Sequence[str] = (),
    batch_size: int | None = None,
    mesh: Mesh | None = None,
    progress: bool = False,
) -> Explanations:
    """Explains a classifier's decisions on images.

    A diagnosis comes first: what it finds wrong stops the call. What may be wrong is a warning of
    Python's, and is kept beside the explanations.

    Counterfactuals go to the target class; maps explain the predicted one.

    With ``folder``, images are read when they are needed and the result of each is written to a
    file of its own, so that memory does not grow with their number. The same call goes on where it
    was stopped. A damaged image is skipped and counted.

    An image's result depends on the model, the image, its number and the settings. It has the same
    bits in every shard and after every stop; another number of devices or another ``batch_size``
    changes it by rounding. On accelerators the model's matrix products are as exact as JAX makes
    them by default, or as ``jax.default_matmul_precision`` says around the call.

    Args:
        classifier: one image -> logits ``(k,)``, from ``adapters``, ``models.per_image`` or your
            own.
        images: values in [0, 1]; or a source that reads an image when it is asked for.
        methods: names of ``METHODS``.
        targets: ``"runner_up"`` takes each image's second most probable class; a class (its number,
            or its name in ``classes``) takes it for all images, or one for each image. A target
            that is predicted already stays, and its counterfactual is more of the same.
        classes: names of the classes, in the order of the logits; None numbers them.
        names: of the images; None takes the source's, or numbers them.
        p: norm of the counterfactuals' changes, at least 1 or inf.
        radius: largest norm of the change; ``"auto"`` scales the published ones to the images
            (``automatic_radius``). ``smallest`` looks up to four times as far.
        radii: shares of the radius at which ``vce`` is searched too, for the knob of the page; each
            costs one search more.
        probability: of the target class that ``smallest`` looks for, between 0 and 1.
        num_steps: of a search for a counterfactual.
        num_nodes: of integrated gradients.
        num_samples: of SmoothGrad.
        generators: trained on this classifier's decisions, or the folders of such (``cfx train``).
            Each adds a picture and a map, see ``GENERATOR_METHODS``. Classes that are not named
            take the names of the first one.
        layer: whose feature maps the class activation maps show, by its name in
            ``classifier.layers(image)``; None takes the last one with spatial axes, and the
            settings of the explanations name it.
        occlusion_window: side of the square that occlusion hides, in pixels; None takes an eighth
            of the image's shorter side.
        key: for what is random; image i takes ``fold_in(key, i)``. None: ``jax.random.key(0)``.
        folder: where results are written; None keeps them in memory.
        shard: number of this process's part, from 1, and how many parts share the folder.
        replace: whether results that are in the folder, of this run too, are removed first.
        notes: sentences for the page, such as how the images were read.
        batch_size: images computed at once; None takes 8 for each CPU, 32 for each accelerator.
        mesh: the devices; None takes all. A PyTorch network that JAX calls back has the first one.
        progress: shows one bar for all images and methods, with the time that is left.

    Returns:
        The explanations; those of all shards that are in the folder.

    Raises:
        InputError: images that are none, unknown methods, classes that do not exist, a generator of
            another classifier, a folder that cannot be written or that holds another run, or
            whatever else ``diagnose`` finds wrong. In memory, also an image that is damaged or has
            no finite logits.

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
        >>> answers[1].name, answers[1].sweeps["vce"].positions.tolist()
        ('image 1', [0.5, 1.0, 2.0])
    """
    check_key(key, or_none=True)
    check_count(batch_size, name="batch_size", or_none=True)
    check_texts(notes, name="notes")
    if isinstance(radii, str) or not isinstance(radii, Sequence | np.ndarray):
        raise InputError(f"radii: expected shares in a list, got {radii!r}")
    run_preparation.check_methods(methods, generators)
    _check_shard(shard, folder, mesh)
    place = None if folder is None else as_path(folder, name="folder")
    if place is not None:
        prepare_folder(place, replace=replace)
    given = images_of(images, names)
    first = run_preparation.first_images(given)
    pictures = list(first.values())
    length = run_preparation.radius_for(radius, pictures[0].shape, p)
    settings = Settings(
        p,
        length,
        _WIDER * length,
        probability,
        num_steps,
        num_nodes,
        num_samples,
        tuple(radii),
        layer,
        occlusion_window,
    )
    settings = with_layer(settings, methods, classifier, pictures[0])
    run_preparation.check_occlusion_window(occlusion_window, pictures[0].shape)
    warnings = run_preparation.diagnosed(classifier, np.stack(pictures))
    for warning in warnings:
        warn(warning, stacklevel=2)
    held = as_pytree(classifier)
    mesh = run_preparation.devices_for(held, mesh)
    stopped = None if replace else place
    size = run_preparation.batch_size_for(batch_size, stopped, len(given.names), mesh)
    decision = ExampleMap(decide, held, mesh=mesh)
    logits = run_preparation.logits_of(decision, pictures, size, mesh)
    trained = [as_trained(generator) for generator in generators]
    named = trained[0].classes if classes is None and trained else classes
    class_names = run_preparation.class_names_for(named, logits.shape[1])
    drawings = draw_generators(trained, held, shape=pictures[0].shape, classes=class_names)
    shared: dict[str, Any] = dict.fromkeys(methods, held) | drawings
    key = jax.random.key(0) if key is None else key
    run = Run(
        names=given.names,
        labels=given.labels,
        classes=class_names,
        methods=tuple(shared),
        settings=settings,
        targets=run_preparation.targets_for(targets, class_names, len(given.names)),
        shape=pictures[0].shape,
        batch_size=size,
        key=tuple(jax.random.key_data(key).tolist()),
        first=first_facts(first, logits),
        warnings=warnings,
        notes=tuple(map(clean_name, notes)),
        skipped=given.skipped,
        extra={f"generator {one.method}": one.digest for one in trained},
        made=provenance(),
        matmul_precision=matmul_precision(mesh),
    )
    programs = Programs(decision, shared, run, key=key, mesh=mesh)
    if place is None:
        return _in_memory(programs, given, progress)
    store = open_store(place, run, replace=replace)
    _fill(store, programs, given, shard, progress)
    return load_explanations(place)


def _in_memory(programs: Programs, images: Images, progress: bool) -> Explanations:
    run = programs.run
    items: list[Explanation] = []
    for item in stream(programs, images, range(run.num_groups), progress=progress):
        if isinstance(item, Skipped):
            raise InputError(
                f"{run.names[item.number]}: expected an image that can be explained, but"
                f" {item.reason}: leave it out, or give a folder, where it is skipped and counted"
            )
        items.append(item)
    return Explanations(run, items)


def _fill(
    store: Store, programs: Programs, images: Images, part: tuple[int, int], progress: bool
) -> None:
    """Computes and writes what a shard lacks."""
    with store.working(part), ThreadPoolExecutor(_WRITERS) as writers:
        groups = _groups_to_do(store, images, part)
        results = stream(programs, images, groups, progress=progress)
        for _ in ahead(writers, store.write, results, depth=2 * store.run.batch_size):
            pass  # the first that cannot be written raises here


def _groups_to_do(store: Store, images: Images, part: tuple[int, int]) -> list[int]:
    """The groups of a shard in which an image has no result.

    An image that was skipped is read once more: it may have been mended.
    """
    done, skipped = store.find_results()
    for number in skipped:
        if not isinstance(images.image_or_reason(number, store.run.shape), str):
            store.forget_skipped(number)
    ended = {*done, *store.find_results()[1]}
    index, count = part
    groups = range(index - 1, store.run.num_groups, count)
    return [group for group in groups if not ended.issuperset(group_members(store.run, group))]


def _check_shard(part: tuple[int, int], folder: Any, mesh: Mesh | None) -> None:
    if not (isinstance(part, tuple) and len(part) == 2 and all(type(x) is int for x in part)):
        raise InputError(f"shard: expected two integers, such as (1, 4), got {part!r}")
    if not 1 <= part[0] <= part[1]:
        raise InputError(f"shard: expected a number from 1 to {part[1]}, got {part[0]}")
    if folder is None and part != (1, 1):
        raise InputError("shard: expected a folder for the results, which the shards share")
    if folder is not None and not is_local(mesh):
        raise InputError(
            "mesh: expected devices of this process alone where results go to a folder, got those"
            " of several processes: give each a shard and"
            " data_mesh(devices=jax.local_devices())"
        )
