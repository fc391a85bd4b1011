"""The command ``cfx``: explain, check, methods, report."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from cfx_jax.adapters import Inputs, Outputs
from cfx_jax.data import ImageCollection, open_images
from cfx_jax.diagnosis import diagnose
from cfx_jax.errors import InputError, reason_of
from cfx_jax.explain.explain import explain
from cfx_jax.explain.explanations import Explanations, load_explanations
from cfx_jax.explain.methods import METHODS, Settings
from cfx_jax.explain.models import load_model
from cfx_jax.explain.store import PAGE, TABLE, clear_folder, prepare_folder
from cfx_jax.explain.volumes import write_volumes
from cfx_jax.parallel import (
    DISTRIBUTED_HELP,
    check_same,
    check_same_folder,
    data_mesh,
    end_run,
    is_alone,
    is_first_process,
    start_from_arguments,
    this_run,
    wait_for_all,
    wait_for_verdict,
)

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
    try:
        rest = start_from_arguments(sys.argv[1:] if arguments is None else arguments)
        check_same("the command", {"arguments": rest})
        options = _parser().parse_args(rest)
        options.run(options)
    except InputError as error:
        print(f"cfx: {error}", file=sys.stderr)
        return _failed(2, str(error))
    except (jax.errors.JaxRuntimeError, MemoryError, ValueError) as error:
        if type(error) is ValueError and "callback: Traceback" not in str(error):
            raise  # else out of memory, or a model that raises while a program runs
        wait_for_verdict(error)
        print(f"cfx: {reason_of(error)}", file=sys.stderr)
        return _failed(2, reason_of(error))
    except KeyboardInterrupt:
        return _failed(130, "stopped")
    return 0


def _failed(status: int, reason: str) -> int:
    """The exit status of a failure, of which the other processes of this run are told."""
    if not is_alone():
        end_run(status, reason)
    return status


def _explain(options: argparse.Namespace) -> None:
    if not 0 <= options.seed < 2**32:
        raise InputError(f"seed: expected a number from 0 to {2**32 - 1}, got {options.seed}")
    shard, mesh, replace = _own_part(options)
    pictures = _pictures(options)
    classifier = _classifier(options)
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    answers = explain(
        classifier,
        pictures,
        methods=options.methods,
        targets=_target(options.target),
        classes=pictures.class_names if options.classes else None,
        p=options.norm,
        radius="auto" if options.radius is None else options.radius,
        radii=options.radii,
        probability=options.probability,
        num_steps=options.num_steps,
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
        wait_for_all("the end of all shards")
        if not is_first_process():
            return
        answers = load_explanations(options.out)
    _tell(answers, options.out, options.shard)
    if options.shard[1] == 1:
        for path in write_volumes(options.out, pictures, answers):
            print(f"Volume: {path.resolve()}")


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


def _tell(answers: Explanations, folder: Path, shard: tuple[int, int]) -> None:
    """Prints what came out, and writes the table and the page where no other process will."""
    for item in islice(answers, _LINES):
        decided, target = answers.classes[item.prediction], answers.classes[item.target]
        print(f"{item.name}: {decided}, explained towards {target}")
    if len(answers) > _LINES:
        print(f"... and {len(answers) - _LINES} images more")
    for name, reason in islice(answers.skipped.items(), _LINES):
        print(f"skipped: {name}: {reason}", file=sys.stderr)
    if answers.skipped:
        print(f"{len(answers.skipped)} images could not be explained", file=sys.stderr)
    if shard[1] > 1:
        print(f"Shard {shard[0]} of {shard[1]} has ended. After the last one: cfx report {folder}")
    else:
        _write_report(answers, folder)


def _write_report(answers: Explanations, folder: Path) -> None:
    table = answers.write_table(folder / TABLE)
    page = answers.report(folder / PAGE)
    if answers.accuracy is not None:
        print(f"Predicted right: {answers.accuracy:.1%} of the images with a label of a class")
    print(f"Table: {table.resolve()}")
    print(f"Page: {page.resolve()}")


def _check(options: argparse.Namespace) -> None:
    findings = diagnose(_classifier(options), _load(_pictures(options), most=_CHECKED))
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


def _report(options: argparse.Namespace) -> None:
    if is_first_process():
        _write_report(load_explanations(options.folder), options.folder)


def _classifier(options: argparse.Namespace) -> Any:
    inputs: dict[str, Any] = {
        "layout": options.layout,
        "value_range": options.value_range and tuple(options.value_range),
        "mean": options.mean and tuple(options.mean),
        "std": options.std and tuple(options.std),
    }
    given = {name: value for name, value in inputs.items() if value is not None}
    if given and "layout" not in given:
        is_torch = options.model.endswith((".pt", ".pth", ".ts", ".pt2")) or ":" in options.model
        given["layout"] = "channels_first" if is_torch else "channels_last"
    outputs = None
    if options.outputs is not None or options.label is not None:
        outputs = Outputs(options.outputs or "logits", options.label)
    return load_model(options.model, inputs=Inputs(**given) if given else None, outputs=outputs)


def _pictures(options: argparse.Namespace) -> ImageCollection:
    """The user's images; what is found and what is skipped is printed."""
    pictures = open_images(
        options.images,
        size=options.size and tuple(options.size),
        channels=options.channels,
        window=_window(options.window),
        classes=options.classes or (),
        groups=options.groups,
        progress=True,
    )
    for line in pictures.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    for line in pictures.notes:
        print(line, file=sys.stderr)
    return pictures


def _load(collection: ImageCollection, *, most: int) -> Float[np.ndarray, "m h w c"]:
    """The first images; those that are damaged are left out and told."""
    images: list[np.ndarray] = []
    for place in range(len(collection)):
        if len(images) == most:
            break
        try:
            images.append(collection[place]["image"])
        except InputError as error:
            print(f"skipped: {error}", file=sys.stderr)
    if not images:
        raise InputError("images: expected one that can be decoded, got none")
    return np.stack(images)


def _window(words: Sequence[str] | None) -> Any:
    """The option ``--window``: two numbers, or one of the words of ``open_images``."""
    if words is None:
        return "file"
    try:
        return words[0] if len(words) == 1 else tuple(float(word) for word in words)
    except ValueError as error:
        raise InputError(f"--window: expected CENTER WIDTH, got {' '.join(words)}") from error


def _target(text: str) -> str | int:
    """A class by its number or name, or ``runner_up``; ``explain`` reads it in ``_targets``."""
    return int(text) if text.isdecimal() else text


def _shard(text: str) -> tuple[int, int]:
    """Reads ``I/N``."""
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected I/N, such as 1/4, got {text}")
    return int(index), int(count)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cfx",
        description="Explains an image classifier by what would have to change.",
        epilog=DISTRIBUTED_HELP,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("explain", help="explain a model's decisions on images")
    _add_model(command)
    command.add_argument("--out", type=Path, default=Path("explanations"), help="folder to write")
    command.add_argument(
        "--replace", action="store_true", help="remove the explanations in that folder first"
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
    command.add_argument("--norm", type=float, default=2.0, help="p of the lp norm, or inf")
    command.add_argument("--radius", type=float, help="largest change; default: by the image size")
    command.add_argument(
        "--radii",
        nargs="*",
        type=float,
        default=list(Settings.radii),
        metavar="SHARE",
        help="shares of the radius for the knob of the page, each one search of 'vce' more;"
        " default: %(default)s",
    )
    command.add_argument("--probability", type=float, default=0.9, help="wanted by 'smallest'")
    command.add_argument("--num-steps", type=int, default=Settings.num_steps, help="of a search")
    command.add_argument(
        "--batch-size",
        type=int,
        help="images computed at once; default: 8 for each CPU, 32 for each accelerator",
    )
    command.add_argument(
        "--shard",
        type=_shard,
        default=(1, 1),
        metavar="I/N",
        help="compute part I of N; start each part as a process of its own, then 'cfx report'",
    )
    command.add_argument("--seed", type=int, default=0, help="of what is random")
    command.set_defaults(run=_explain)
    command = commands.add_parser("check", help="look for faults of a model on images")
    _add_model(command)
    command.set_defaults(run=_check)
    command = commands.add_parser("methods", help="list the methods and what they cost")
    command.set_defaults(run=_methods)
    command = commands.add_parser("report", help="write the page of stored explanations anew")
    command.add_argument("folder", type=Path, help="what --out was")
    command.set_defaults(run=_report)
    return parser


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", required=True, help="module:function, .pt, .pt2, .keras, .jax")
    command.add_argument(
        "--images",
        nargs="+",
        required=True,
        metavar="PATH",
        help="files, folders, zips, csv:FILE (path, label, group, split, mask); pictures, DICOM,"
        " NIfTI",
    )
    command.add_argument(
        "--size", nargs=2, type=int, metavar=("HEIGHT", "WIDTH"), help="resize images to this"
    )
    command.add_argument(
        "--window",
        nargs="+",
        metavar="NUMBER",
        help="CENTER WIDTH of the values to show; or values: each image's own; full: all;"
        " default: as the file says",
    )
    command.add_argument(
        "--groups",
        metavar="HOW",
        help="images that belong together: folder, column:NAME, or a pattern such as '(p[0-9]+)'",
    )
    command.add_argument(
        "--classes",
        nargs="+",
        metavar="CLASS",
        help="names of the model's classes in order; NAME, FOLDER=NAME or FOLDER+FOLDER=NAME where"
        " images lie in folders of their class",
    )
    command.add_argument("--channels", type=int, choices=(1, 3), help="of the model's images")
    command.add_argument("--layout", choices=("channels_first", "channels_last"))
    command.add_argument("--value-range", nargs=2, type=float, metavar=("BLACK", "WHITE"))
    command.add_argument("--mean", nargs="+", type=float, help="subtracted, for each channel")
    command.add_argument("--std", nargs="+", type=float, help="divided by, for each channel")
    command.add_argument("--outputs", choices=("logits", "probabilities", "log_probabilities"))
    command.add_argument("--label", type=int, help="of a model of several labels")
