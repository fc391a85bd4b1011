"""The command ``cfx``: explain, check, layers, methods, report."""

import argparse
import dataclasses
import shlex
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import EntryPoint, entry_points
from itertools import islice
from pathlib import Path
from typing import TextIO

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from cfx_jax.adapters import Adapted
from cfx_jax.allocator import keep_freed_memory
from cfx_jax.diagnosis import diagnose
from cfx_jax.errors import InputError
from cfx_jax.explain.command_options import (
    add_explain_options,
    add_model_options,
    classifier_of_options,
    first_images,
    images_of_options,
)
from cfx_jax.explain.explain import explain
from cfx_jax.explain.explanations import Explanations, load_explanations
from cfx_jax.explain.generator_methods import GENERATOR_METHODS
from cfx_jax.explain.methods import METHODS
from cfx_jax.explain.name_cleaning import clean_name
from cfx_jax.explain.page import cautions_of
from cfx_jax.explain.result_folder import PAGE, TABLE, clear_folder, prepare_folder
from cfx_jax.explain.run_preparation import class_names_for
from cfx_jax.explain.settings import Settings
from cfx_jax.explain.volumes import write_volumes
from cfx_jax.explain.wording import in_options
from cfx_jax.objectives import Classifier, decision
from cfx_jax.parallel import (
    DISTRIBUTED_HELP,
    apply_to_examples,
    check_same_folder,
    data_mesh,
    is_alone,
    is_first_process,
    print_note,
    status_of,
    tell_stage,
    this_run,
    wait_for_all,
)

_EXPLAIN_STAGES = ("images and model", "explanations", "page")
_CHECK_STAGES = ("images and model", "diagnosis")
_CHECKED = 64
"""Images that ``cfx check`` looks at."""
_LINES = 10
"""Images that are named on the terminal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; a mistake of the user's is one line and the status 2.

    Args:
        arguments: of the command line; None takes the process's.

    Returns:
        The exit status.
    """
    if arguments is None:  # the process does nothing else
        keep_freed_memory()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    further = _further_commands()
    if arguments and arguments[0] in further:
        return int(further[arguments[0]].load()(arguments[1:]))

    def run(rest: Sequence[str]) -> None:
        options = _parser(further).parse_args(rest)
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            options.run(options)

    return status_of(run, arguments, program="cfx", wording=in_options)


def _further_commands() -> dict[str, EntryPoint]:
    """The commands that other installed packages offer: functions of arguments -> exit status."""
    return {entry.name: entry for entry in entry_points(group="cfx_jax.commands")}


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Prints a warning for users in a line; one for programmers as Python does, with its place."""
    text = f"warning: {in_options(str(message))}"
    if not issubclass(category, UserWarning):
        text = warnings.formatwarning(message, category, filename, lineno, line).rstrip()
    print_note(text)


def _explain(options: argparse.Namespace) -> None:
    if not 0 <= options.seed < 2**32:
        raise InputError(f"seed: expected a number from 0 to {2**32 - 1}, got {options.seed}")
    shard, mesh, replace = _own_part(options)
    tell_stage("images and model", _EXPLAIN_STAGES)
    pictures = images_of_options(options)
    if pictures.volumes:
        _check_outside(options.out, options.images)
    classifier = classifier_of_options(options)
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    tell_stage("explanations", _EXPLAIN_STAGES)
    with _precision(options.matmul_precision):
        answers = explain(
            classifier,
            pictures,
            methods=options.methods,
            targets=_target(options.target, pictures.class_names if options.classes else ()),
            classes=pictures.class_names if options.classes else None,
            p=options.norm,
            radius="auto" if options.radius is None else options.radius,
            radii=options.radii,
            probability=options.probability,
            num_steps=options.num_steps,
            num_nodes=options.num_nodes,
            num_samples=options.num_samples,
            generators=options.generator,
            layer=options.layer,
            occlusion_window=options.occlusion_window,
            key=jax.random.key(options.seed),
            folder=options.out,
            shard=shard,
            replace=replace,
            mesh=mesh,
            notes=(f"command: {command}", *pictures.notes),
            batch_size=options.batch_size,
            progress=True,
        )
    if not is_alone():
        wait_for_all("the end of all shards", each_works=True)
        if not is_first_process():
            return
        answers = load_explanations(options.out)
    tell_stage("page", _EXPLAIN_STAGES)
    is_complete = len(answers) + len(answers.skipped) == len(answers.run.names)
    _tell(answers, options.out, None if is_complete else options.shard)
    if is_complete:
        for path in write_volumes(options.out, pictures, answers):
            print(f"Volume: {path.resolve()}")


def _precision(asked: str | None) -> AbstractContextManager[None]:
    """The precision of the model's products while it is explained.

    Where nothing is asked for and JAX's settings name none, it is ``high``: one bfloat16 product,
    which TPUs take by default, has gradients of two or three digits.
    """
    if asked is None:
        asked = jax.config.jax_default_matmul_precision or "high"  # type: ignore[attr-defined]
    return jax.default_matmul_precision(None if asked == "default" else asked)


def _check_outside(out: Path, images: Sequence[str]) -> None:
    """Checks that volumes are not written where the same command looks for images."""
    for folder in map(Path, images):
        if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
            raise InputError(
                f"--out: expected a folder outside of {clean_name(str(folder))}, got"
                f" {clean_name(str(out))}: the maps of volumes would be taken for images next time"
            )


def _own_part(options: argparse.Namespace) -> tuple[tuple[int, int], Mesh | None, bool]:
    """The shard of this process, its devices, and whether it removes what is in the folder.

    Of several processes of one run each takes a shard, once the first has prepared the folder.
    """
    run = this_run()
    if run is None:
        prepare_folder(options.out, replace=options.replace)
        return options.shard, None, options.replace
    if options.shard != (1, 1):
        raise InputError("--shard: expected none with several processes of one run: leave it out")
    check_same_folder("--out", options.out)
    if is_first_process():
        prepare_folder(options.out, replace=options.replace)
        if options.replace:
            clear_folder(options.out)
    wait_for_all("the folder is prepared")
    mesh = data_mesh(devices=jax.local_devices())
    return (run.process + 1, run.num_processes), mesh, False


def _tell(answers: Explanations, folder: Path, shard: tuple[int, int] | None) -> None:
    """Prints what came out, and writes the table and the page unless other shards are to come."""
    for item in islice(answers, _LINES):
        decided, target = answers.classes[item.prediction], answers.classes[item.target]
        probability = item.probabilities[item.prediction]
        print(f"{item.name}: {decided} with {probability:.3f}, explained towards {target}")
    if len(answers) > _LINES:
        print(f"... and {len(answers) - _LINES} images more")
    for name, reason in islice(answers.skipped.items(), _LINES):
        print(f"skipped: {name}: {reason}", file=sys.stderr)
    if shard is not None:
        print(
            f"Shard {shard[0]} of {shard[1]} has ended. The last one writes the table and the page;"
            f" what there is till then: cfx report {folder}"
        )
    else:
        _write_report(answers, folder, told=answers.warnings)


def _write_report(answers: Explanations, folder: Path, *, told: Sequence[str] = ()) -> None:
    """Writes the table and the page, and prints the cautions that were not told before."""
    for caution in cautions_of(answers):
        if caution not in told:
            print_note(f"warning: {in_options(caution)}")
    cautions = tuple(map(in_options, answers.warnings))
    answers.run = dataclasses.replace(answers.run, warnings=cautions)
    table = answers.write_table(folder / TABLE)
    page = answers.report(folder / PAGE)
    if answers.accuracy is not None:
        print(f"Predicted right: {answers.accuracy:.1%} of the images with a label of a class")
    print(f"Table: {table.resolve()}")
    print(f"Page: {page.resolve()}")


def _check(options: argparse.Namespace) -> None:
    tell_stage("images and model", _CHECK_STAGES)
    pictures = images_of_options(options)
    names, images = first_images(pictures, most=_CHECKED)
    classifier = classifier_of_options(options)
    tell_stage("diagnosis", _CHECK_STAGES)
    findings = diagnose(classifier, images)
    for finding in findings:
        print(f"{finding.severity}: {in_options(finding.message)}")
    if any(finding.severity == "error" for finding in findings):
        raise InputError("mend the errors above before you explain this model")
    if not findings:
        print("Nothing is wrong with the model on these images, as far as a diagnosis can see.")
    classes = pictures.class_names if options.classes else None
    _tell_decisions(classifier, names[:_LINES], images[:_LINES], classes)


def _tell_decisions(
    classifier: Classifier,
    names: Sequence[str],
    images: Float[np.ndarray, "n h w c"],
    classes: Sequence[str] | None,
) -> None:
    """Prints what the model is given and what it decides, to compare with what is known of it."""
    if isinstance(classifier, Adapted):
        given = np.stack([classifier.inputs.prepare(image) for image in images])  # (n, 1, ...)
        span = f"from {given.min():.3g} to {given.max():.3g}"
        print(f"The model is given images {given.shape[1:]}, here with values {span}.")
    logits = apply_to_examples(classifier, images)
    class_names = class_names_for(classes, logits.shape[1])
    for name, row in zip(names, np.asarray(jax.nn.softmax(logits)), strict=True):
        print(f"{clean_name(name)}: {class_names[int(decision(row))]} with {row.max():.3f}")


def _methods(options: argparse.Namespace) -> None:
    del options
    settings = Settings(p=2.0, radius=1.0, largest_radius=4.0)
    for method in METHODS.values():
        kind = "counterfactual" if method.is_counterfactual else "map"
        number = method.num_gradients(settings)
        price = "forward passes alone" if number is None else f"about {number} gradients an image"
        print(f"{method.name} ({kind}, {price})")
        print(f"    {method.summary}")
    for method in GENERATOR_METHODS.values():
        kind = "counterfactual" if method.is_counterfactual else "map"
        print(f"{method.name} ({kind} by a generator of `cfx train`)")
        print(f"    {method.summary}")


def _layers(options: argparse.Namespace) -> None:
    classifier = classifier_of_options(options)
    image = first_images(images_of_options(options), most=1)[1][0]
    if not isinstance(classifier, Adapted):
        raise InputError(
            f"model: expected one whose layers have names, got {type(classifier).__name__}: give"
            " the model itself, a file or a function that returns it"
        )
    maps = classifier.feature_maps(image)
    default = classifier.last_spatial_layer(image) if maps else None
    for name, shape in classifier.layers(image).items():
        note = " (feature maps)" if name in maps else ""
        if name == default:
            note = " (feature maps; class activation maps read these by default)"
        print(f"{name}: {'x'.join(map(str, shape))}{note}")


def _report(options: argparse.Namespace) -> None:
    if is_first_process():
        _write_report(load_explanations(options.folder), options.folder)


def _target(text: str, names: Sequence[str]) -> str | int:
    """A class by its name or else its number, or ``runner_up``: what ``explain`` takes.

    A name comes first: of the classes ``1 0`` the target ``1`` is the first.
    """
    return int(text) if text.isdecimal() and text not in names else text


def _parser(further: Mapping[str, EntryPoint]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cfx",
        description="Explains an image classifier by what would have to change.",
        epilog=DISTRIBUTED_HELP,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in further:
        commands.add_parser(name, help=f"see cfx {name} --help")
    command = commands.add_parser("explain", help="explain a model's decisions on images")
    add_model_options(command)
    add_explain_options(command)
    command.set_defaults(run=_explain)
    command = commands.add_parser("check", help="look for faults of a model on images")
    add_model_options(command)
    command.set_defaults(run=_check)
    command = commands.add_parser("layers", help="list a model's layers for an image, by name")
    add_model_options(command)
    command.set_defaults(run=_layers)
    command = commands.add_parser("methods", help="list the methods and what they cost")
    command.set_defaults(run=_methods)
    command = commands.add_parser("report", help="write the page of stored explanations anew")
    command.add_argument("folder", type=Path, help="what --out was")
    command.set_defaults(run=_report)
    return parser
