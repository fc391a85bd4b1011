"""The command ``cfx train``, from a clone ``python -m trainers``: trains on a user's own model."""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from cfx_jax.allocator import keep_freed_memory
from cfx_jax.data import ArraySource, ImageCollection, evenly_spread, load_arrays, part_names, split
from cfx_jax.diagnosis import diagnose, diagnose_generators
from cfx_jax.errors import InputError, import_extra
from cfx_jax.explain import sibling_of, with_sibling
from cfx_jax.explain.command_options import (
    add_model_options,
    classifier_of_options,
    first_images,
    images_of_options,
)
from cfx_jax.explain.wording import in_options
from cfx_jax.objectives import Classifier, decision
from cfx_jax.parallel import CAN_GO_ON, DISTRIBUTED_HELP, print_note, status_of, tell_stage

from ..shared import RelabelledSource, source_logits
from .recipes import RECIPES, Sides, train_explainer
from .robust_sibling import CONFIG, measure_robustness, train_sibling

_STAGES = ("images and the model's decisions", "training and what it reaches")
_DIAGNOSED = 8
"""Images that the diagnosis of the model looks at."""
_SIBLING = "trades"
_CONFIGS = {**{name: recipe.config for name, recipe in RECIPES.items()}, _SIBLING: CONFIG}
_IN_MEMORY = 2 * 2**30
"""Bytes of decoded images that are held in memory."""
_NAMED = 20
"""Classes that a message names."""
_MOST_VALIDATION = 1000
"""Validation images are held in memory; more would tell no more."""


@dataclass(frozen=True, eq=False)
class DecidedImages:
    """A user's images with the logits of the model.

    Attributes:
        source: random-access, its items with ``image``.
        logits: the logits of the model, (n, k).
        classes: names of its classes.
        labels: the labels of the images, (n,), as folders or a table name them; or None.
        groups: the group of each image, whose images belong together, (n,).
        parts: the part of each image, "train", "validation" or "test", as a table or folders name
            it, (n,); "train" for all where none does.
    """

    source: Any
    logits: Float[np.ndarray, "n k"]
    classes: tuple[str, ...]
    labels: Int[np.ndarray, " n"] | None
    groups: Shaped[np.ndarray, " n"]
    parts: Shaped[np.ndarray, " n"]

    def split(
        self,
        places: Int[np.ndarray, " m"],
        strata: Int[np.ndarray, " m"],
        *,
        share: float,
        seed: int,
    ) -> tuple[Int[np.ndarray, " t"], dict[str, np.ndarray]]:
        """Splits images into those to train on and at most 1000 that are held out.

        Where a table or folders say which images are for training, others are not trained on: those
        for validation are held out, or a share of the former if there are none.

        Args:
            places: the positions of the images that are split.
            strata: a number for each image; both parts have each number in the same share.
            share: the share of the images that are held out, above 0 and below 1.
            seed: fixes the split.

        Returns:
            The places to train on; and of the images that are held out ``image`` and ``place``.
        """
        train, held_out = (places[self.parts[places] == name] for name in ("train", "validation"))
        if not len(held_out):
            parts = split(
                strata[self.parts[places] == "train"],
                {"train": 1 - share, "validation": share},
                seed=seed,
                groups=self.groups[train],
            )
            train, held_out = train[parts["train"]], train[parts["validation"]]
        held_out = held_out[evenly_spread(len(held_out), most=_MOST_VALIDATION)]
        images = load_arrays(self.source, held_out, fields=("image",))["image"]
        return train, {"image": images, "place": held_out}


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains what the command line says; a mistake of the user's is one line and the status 2.

    Args:
        arguments: the arguments of the command line, after ``train``; None takes the process's.

    Returns:
        The exit status.
    """
    if arguments is None:  # the process does nothing else
        keep_freed_memory()
    return status_of(
        _run,
        arguments,
        program="cfx train",
        stopped=CAN_GO_ON,
        wording=in_options,
    )


def _run(arguments: Sequence[str]) -> None:
    asked = next((name for name in arguments if name in _CONFIGS), None)
    if asked and {"-h", "--help"} & {*arguments}:
        print(_parser().format_help())
        _config(asked, ["--help"])
    options, settings = _parser().parse_known_args(arguments)
    config = _config(options.name, settings)
    tell_stage(_STAGES[0], _STAGES)
    classifier = classifier_of_options(options)
    images = _decide(options, classifier, batch_size=config.run.eval_batch_size)
    tell_stage(_STAGES[1], _STAGES)
    train = _train_sibling if options.name == _SIBLING else _train_explainer
    train(options, config, classifier, images)


def _train_explainer(
    options: argparse.Namespace, config: Any, classifier: Classifier, images: DecidedImages
) -> None:
    sides = choose_sides(options.target, options.between, images.classes)
    places = _places_on(sides, images.logits)
    strata = _is_of_side_1(sides, images.logits[places]).astype(int)
    train_indices, held_out = images.split(
        places, strata, share=options.validation, seed=config.run.seed
    )
    generator, answers = train_explainer(
        options.name,
        classifier,
        images.source,
        train_indices,
        held_out["image"],
        options.out,
        config=config,
        classes=images.classes,
        sides=sides,
        model=options.model,
        num_workers=options.workers,
    )
    for side, name in enumerate(generator.side_names):
        if not answers.num_images[side]:
            print(f"No validation image is decided {name}: give a larger --validation share.")
            continue
        print(
            f"Of {answers.num_images[side]} validation images decided {name},"
            f" {answers.turned[side]:.0%} are drawn so that they are decided otherwise;"
            f" {answers.kept[side]:.0%} of those drawn anew keep the decision."
        )
    for finding in diagnose_generators(answers):
        print(f"{finding.severity}: {in_options(finding.message)}")
    print(f"Explain by it: cfx explain --generator {options.out} --model {options.model} ...")


def _train_sibling(
    options: argparse.Namespace, config: Any, classifier: Classifier, images: DecidedImages
) -> None:
    labels = _labels(options, images)
    source = RelabelledSource(images.source, np.arange(len(labels)), labels, images.classes)
    train_indices, held_out = images.split(
        np.arange(len(labels)), labels, share=options.validation, seed=config.run.seed
    )
    validation = {"image": held_out["image"], "label": labels[held_out["place"]]}
    sibling = train_sibling(
        classifier,
        source,
        train_indices,
        validation,
        options.out,
        config=config,
        model=options.model,
        calibrate=options.labels == "files",
        num_workers=options.workers,
    )
    of = {
        "the model": classifier,
        "its robust sibling": sibling_of(sibling, classifier),
        "the ensemble of both": with_sibling(sibling, classifier),
    }
    size = config.run.eval_batch_size
    for name, one in of.items():
        answers = measure_robustness(one, validation, config.attack, batch_size=size)
        print(
            f"Accuracy of {name} on {answers.num_images} of {len(validation['label'])} held-out"
            f" images: {answers.accuracy:.3f}; within changes of l{config.attack.p:g} norm"
            f" {config.attack.radius:g}: {answers.robust_accuracy:.3f}"
        )
    print(f"Explain the ensemble: cfx explain --sibling {options.out} --model {options.model} ...")


def _labels(options: argparse.Namespace, images: DecidedImages) -> Int[np.ndarray, " n"]:
    """The labels of the files, or the model's own decisions in their place."""
    if options.labels == "decisions":
        return np.asarray(decision(images.logits))
    if images.labels is None or not options.classes:
        raise InputError(
            "labels: expected images in folders of their class, or a table with labels, and"
            " --classes in the order of the model's logits: give these, or --labels decisions"
        )
    return images.labels


def choose_sides(
    target: str | None, between: Sequence[str] | None, classes: Sequence[str]
) -> Sides:
    """The two sides that a generator goes between.

    Args:
        target: a class, by name or number, that is side 1 against all others.
        between: two classes, that are side 0 and side 1.
        classes: names of the model's classes.

    Returns:
        The classes of side 0 and of side 1; of a model of two classes these, in their order, where
        nothing is given.

    Raises:
        InputError: no such class, one class twice, or more than two classes and nothing given.

    >>> choose_sides("sick", None, ("healthy", "sick", "unclear"))
    ((0, 2), (1,))
    """
    if target is not None and between is not None:
        raise InputError("target: expected --target or --between, got both: leave one out")
    if between is not None:
        first, second = (_number(name, classes) for name in between)
        if first == second:
            raise InputError(f"between: expected two classes, got {between[0]} twice")
        return (first,), (second,)
    if target is not None:
        chosen = _number(target, classes)
        return tuple(number for number in range(len(classes)) if number != chosen), (chosen,)
    if len(classes) == 2:
        return (0,), (1,)
    raise InputError(
        f"target: expected two classes, and the model has {len(classes)}"
        f" ({_listed(classes)}): give --target CLASS, against all others, or --between A B"
    )


def _number(name: str, classes: Sequence[str]) -> int:
    if name in classes:
        return list(classes).index(name)
    if name.isdecimal() and int(name) < len(classes):
        return int(name)
    raise InputError(f"target: expected one of {_listed(classes)}, or its number, got {name}")


def _listed(classes: Sequence[str]) -> str:
    """The names of the classes, of many the first."""
    return ", ".join(classes[:_NAMED]) + (", ..." if len(classes) > _NAMED else "")


def _decide(
    options: argparse.Namespace, classifier: Classifier, *, batch_size: int
) -> DecidedImages:
    """Reads the images, looks for faults of the model, and computes its decisions."""
    collection = images_of_options(options)
    source, places = _source_of(collection)
    for finding in diagnose(classifier, first_images(collection, most=_DIAGNOSED)[1]):
        if finding.severity == "error":
            raise InputError(finding.message)
        print_note(f"{finding.severity}: {in_options(finding.message)}")
    logits = source_logits(classifier, source, np.arange(len(source)), batch_size=batch_size)
    names = collection.class_names if options.classes else None
    groups = collection.file_groups if collection.groups is None else collection.groups
    labels = None if collection.labels is None else collection.labels[places]
    classes = _class_names(names, logits.shape[1])
    parts = _parts_of(collection)[places]
    return DecidedImages(source, logits, classes, labels, groups[places], parts)


def _parts_of(collection: ImageCollection) -> Shaped[np.ndarray, " n"]:
    """The part of each image, after a check that some are for training; tells what is left out."""
    if collection.splits is None:
        return np.full(len(collection), "train")
    parts = part_names(collection.splits)
    others = sorted({*parts.tolist()} - {"train", "validation", "test"})
    if others or "train" not in parts:
        raise InputError(
            "split: expected parts out of train, validation and test, train among them, got"
            f" {', '.join(sorted({*parts.tolist()}))}: correct the table's column or the folders"
        )
    num_tests = int((parts == "test").sum())
    if num_tests:
        print_note(f"{num_tests} images of the part test are neither trained on nor held out.")
    return parts


def _source_of(collection: ImageCollection) -> tuple[Any, Int[np.ndarray, " n"]]:
    """A source of the images, and their places in the collection.

    Images that fit into memory are decoded once, and damaged ones left out; others are decoded each
    time that they are read.
    """
    if 4 * len(collection) * math.prod(collection.shape) > _IN_MEMORY:
        return collection, np.arange(len(collection))
    images, places = list[np.ndarray](), list[int]()
    for place in range(len(collection)):
        try:
            images.append(collection[place]["image"])
            places.append(place)
        except InputError as error:
            print_note(f"skipped: {error}")
    if not images:
        raise InputError("images: expected one that can be decoded, got none")
    unknown = np.zeros(len(images), np.int64)
    return ArraySource(np.stack(images), unknown, ("not known", "not asked for")), np.array(places)


def _class_names(given: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if given is None:
        return tuple(f"class {number}" for number in range(count))
    if len(given) != count or len(set(given)) != count:
        raise InputError(
            f"classes: expected {count} different names, one for each logit, got {list(given)}"
        )
    return tuple(given)


def _places_on(sides: Sides, logits: Float[np.ndarray, "n k"]) -> Int[np.ndarray, " m"]:
    """The images that the model decides for a class of either side."""
    places = np.flatnonzero(np.isin(decision(logits), [*sides[0], *sides[1]]))
    if len(places) < len(logits):
        print(f"{len(logits) - len(places)} images of other classes are left out.")
    if not len(places):
        raise InputError("images: expected some that are decided for one of the classes, got none")
    return places


def _is_of_side_1(sides: Sides, logits: Float[np.ndarray, "n k"]) -> np.ndarray:
    joined = [np.logaddexp.reduce(logits[:, list(side)], axis=1) for side in sides]
    return joined[1] >= joined[0]


def _config(name: str, arguments: Sequence[str]) -> Any:
    """The configuration of a recipe: its own, with the settings of the command line."""
    tyro, own = import_extra("tyro", "the command line"), _CONFIGS[name]
    kind = make_dataclass("Settings", [("config", type(own), field(default=own))])
    return tyro.cli(kind, args=list(arguments), prog=f"cfx train {name}").config


def _parser() -> argparse.ArgumentParser:
    summaries = {name: recipe.summary for name, recipe in RECIPES.items()}
    summaries[_SIBLING] = "A robust sibling of your model (Zhang et al. 2019), for --sibling."
    parser = argparse.ArgumentParser(
        prog="cfx train",
        description="Trains a generator on the decisions of your own model, or a robust sibling of"
        " it.",
        epilog="NAME:\n"
        + "\n".join(f"  {name}: {summary}" for name, summary in summaries.items())
        + "\n\nEvery setting of the training is an option --config.SETTING; cfx train NAME --help"
        f" lists them.\n\n{DISTRIBUTED_HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="NAME", choices=tuple(_CONFIGS), help="one of those below")
    parser.add_argument("--out", type=Path, required=True, metavar="WORKDIR", help="its folder")
    add_model_options(parser)
    parser.add_argument("--target", metavar="CLASS", help="side 1, against all other classes")
    parser.add_argument("--between", nargs=2, metavar="CLASS", help="side 0 and side 1")
    parser.add_argument("--validation", type=float, default=0.2, help="share of images held out")
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        help="processes that read images which do not fit into memory; for DICOM one a core",
    )
    parser.add_argument(
        "--labels",
        choices=("files", "decisions"),
        default="files",
        help="what trades learns: the classes of the files, or the model's own decisions",
    )
    return parser
