"""The command ``cfx``: explain, check, methods, report."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import jax

from cfx_jax.data import ImageCollection
from cfx_jax.diagnosis import diagnose
from cfx_jax.errors import InputError
from cfx_jax.explain.explain import explain
from cfx_jax.explain.explanations import Explanations, load_explanations, prepare_folder
from cfx_jax.explain.generators import ALL_METHODS, GENERATOR_METHODS
from cfx_jax.explain.methods import METHODS, Settings
from cfx_jax.explain.mistakes import status_of
from cfx_jax.explain.options import (
    add_model_options,
    classifier_of_options,
    images_of_options,
    load_and_tell,
)
from cfx_jax.explain.pictures import LoadedImages, write_volumes
from cfx_jax.explain.sweeps import write_sweeps
from cfx_jax.explain.trained_generators import load_generator

_PAGE, _KNOB = "page.html", "knob.html"
_CHECKED = 64
"""Images that ``cfx check`` looks at."""
_SWEEPS = 20
"""Images of which the page with the knob has sweeps: it holds all of their drawings."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; a mistake of the user's is one line and the status 2.

    Args:
        arguments: of the command line; None takes the process's.

    Returns:
        The exit status.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    further = _further_commands()
    if arguments and arguments[0] in further:
        return int(further[arguments[0]].load()(arguments[1:]))
    options = _parser(further).parse_args(arguments)
    return status_of(lambda: options.run(options), program="cfx")


def _further_commands() -> dict[str, EntryPoint]:
    """The commands that other installed packages offer: functions of arguments -> exit status."""
    return {entry.name: entry for entry in entry_points(group="cfx_jax.commands")}


def _explain(options: argparse.Namespace) -> None:
    if not 0 <= options.seed < 2**32:
        raise InputError(f"seed: expected a number from 0 to {2**32 - 1}, got {options.seed}")
    generators = [load_generator(folder) for folder in options.generator]
    sweeping = [generator for generator in generators if generator.method == "progressive"]
    pages = (_PAGE, _KNOB) if sweeping else (_PAGE,)
    prepare_folder(options.out, *pages, replace=options.replace)
    collection = images_of_options(options)
    loaded = load_and_tell(collection)
    classifier = classifier_of_options(options)
    answers = explain(
        classifier,
        loaded.images,
        methods=options.methods,
        targets=_target(options.target),
        classes=collection.class_names if options.classes else None,
        names=[collection.names[place] for place in loaded.places],
        p=options.norm,
        radius="auto" if options.radius is None else options.radius,
        probability=options.probability,
        num_steps=options.num_steps,
        generators=generators,
        key=jax.random.key(options.seed),
        batch_size=options.batch_size,
        progress=True,
    )
    folder = answers.save(options.out)
    page = answers.report(folder / _PAGE)
    _write_volumes(folder, collection, loaded, answers)
    for name, decided, target in zip(
        answers.names, answers.predictions, answers.targets, strict=True
    ):
        print(f"{name}: {answers.classes[decided]}, explained towards {answers.classes[target]}")
    for generator in sweeping:
        count = min(len(answers), _SWEEPS)
        knob = write_sweeps(
            folder / _KNOB,
            generator,
            classifier,
            answers.images[:count],
            names=answers.names[:count],
            batch_size=options.batch_size,
        )
        print(f"Probability as a knob, for the first {count} images: {knob.resolve()}")
    print(f"Page: {page.resolve()}")


def _check(options: argparse.Namespace) -> None:
    loaded = load_and_tell(images_of_options(options), most=_CHECKED)
    findings = diagnose(classifier_of_options(options), loaded.images)
    for finding in findings:
        print(f"{finding.severity}: {finding.message}")
    if not findings:
        print("Nothing is wrong with the model on these images, as far as a diagnosis can see.")
    elif any(finding.severity == "error" for finding in findings):
        raise InputError("mend the errors above before you explain this model")


def _methods(options: argparse.Namespace) -> None:
    del options
    settings = Settings(p=2.0, radius=1.0, largest_radius=4.0)
    for method in METHODS.values():
        kind = "counterfactual" if method.is_counterfactual else "map"
        print(f"{method.name} ({kind}, about {method.num_gradients(settings)} gradients an image)")
        print(f"    {method.summary}")
    for method in GENERATOR_METHODS.values():
        kind = "counterfactual" if method.is_counterfactual else "map"
        print(f"{method.name} ({kind} by a generator of `cfx train`, no gradients)")
        print(f"    {method.summary}")


def _report(options: argparse.Namespace) -> None:
    print(f"Page: {load_explanations(options.folder).report(options.folder / _PAGE).resolve()}")


def _write_volumes(
    folder: Path, collection: ImageCollection, loaded: LoadedImages, answers: Explanations
) -> None:
    """Maps and counterfactuals of slices as volumes, where the images are those of volumes."""
    for name, pictures in answers.pictures.items():
        changes = ALL_METHODS[name].is_counterfactual
        values = pictures - answers.images if changes else pictures
        by_place = {name: dict(zip(loaded.places.tolist(), values, strict=True))}
        for path in write_volumes(folder, collection, by_place, changes=changes):
            print(f"Volume: {path.resolve()}")


def _target(text: str) -> str | int:
    """A class by its number or name, or ``runner_up``; ``explain`` reads it in ``_targets``."""
    return int(text) if text.isdecimal() else text


def _parser(further: Mapping[str, EntryPoint]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cfx", description="Explains an image classifier by what would have to change."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in further:
        commands.add_parser(name, help=f"see cfx {name} --help")
    command = commands.add_parser("explain", help="explain a model's decisions on images")
    add_model_options(command)
    command.add_argument("--out", type=Path, default=Path("explanations"), help="folder to write")
    command.add_argument(
        "--replace", action="store_true", help="write over the explanations in that folder"
    )
    command.add_argument(
        "--methods",
        nargs="+",
        default=["vce", "smallest", "integrated_gradients"],
        metavar="METHOD",
        help=f"of {', '.join(METHODS)}",
    )
    command.add_argument(
        "--target",
        default="runner_up",
        help="class to reach, by name or number; runner_up: the second most probable",
    )
    command.add_argument(
        "--generator",
        nargs="+",
        default=[],
        metavar="WORKDIR",
        help="explain by these generators too: the --out of cfx train",
    )
    command.add_argument("--norm", type=float, default=2.0, help="p of the lp norm, or inf")
    command.add_argument("--radius", type=float, help="largest change; default: by the image size")
    command.add_argument("--probability", type=float, default=0.9, help="wanted by 'smallest'")
    command.add_argument("--num-steps", type=int, default=Settings.num_steps, help="of a search")
    command.add_argument("--batch-size", type=int, default=8, help="images computed at once")
    command.add_argument("--seed", type=int, default=0, help="of what is random")
    command.set_defaults(run=_explain)
    command = commands.add_parser("check", help="look for faults of a model on images")
    add_model_options(command)
    command.set_defaults(run=_check)
    command = commands.add_parser("methods", help="list the methods and what they cost")
    command.set_defaults(run=_methods)
    command = commands.add_parser("report", help="write the page of stored explanations anew")
    command.add_argument("folder", type=Path, help="what --out was")
    command.set_defaults(run=_report)
    return parser
