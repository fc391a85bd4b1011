"""The command ``cfx``: explain, check, layers, methods, report."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from cfx_jax.adapters import Adapted, Inputs, Outputs
from cfx_jax.diagnosis import diagnose
from cfx_jax.errors import InputError, reason_of
from cfx_jax.explain.explain import explain
from cfx_jax.explain.explanations import load_explanations, prepare_folder
from cfx_jax.explain.methods import METHODS, Settings
from cfx_jax.explain.models import load_model
from cfx_jax.explain.pictures import Pictures, read_pictures

_PAGE = "page.html"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; a mistake of the user's is one line and the status 2.

    Args:
        arguments: of the command line; None takes the process's.

    Returns:
        The exit status.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        print(f"cfx: {error}", file=sys.stderr)
        return 2
    except (jax.errors.JaxRuntimeError, MemoryError, ValueError) as error:
        if type(error) is ValueError and "callback: Traceback" not in str(error):
            raise  # else out of memory, or a model that raises while a program runs
        print(f"cfx: {reason_of(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _explain(options: argparse.Namespace) -> None:
    if not 0 <= options.seed < 2**32:
        raise InputError(f"seed: expected a number from 0 to {2**32 - 1}, got {options.seed}")
    prepare_folder(options.out, _PAGE, replace=options.replace)
    pictures = _pictures(options)
    classifier = _classifier(options)
    answers = explain(
        classifier,
        pictures.images,
        methods=options.methods,
        targets=_target(options.target),
        classes=options.classes,
        names=pictures.names,
        p=options.norm,
        radius="auto" if options.radius is None else options.radius,
        probability=options.probability,
        num_steps=options.num_steps,
        layer=options.layer,
        window=options.window,
        key=jax.random.key(options.seed),
        batch_size=options.batch_size,
        progress=True,
    )
    folder = answers.save(options.out)
    page = answers.report(folder / _PAGE)
    for name, decided, target in zip(
        answers.names, answers.predictions, answers.targets, strict=True
    ):
        print(f"{name}: {answers.classes[decided]}, explained towards {answers.classes[target]}")
    print(f"Page: {page.resolve()}")


def _check(options: argparse.Namespace) -> None:
    findings = diagnose(_classifier(options), _pictures(options).images)
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
        number = method.num_gradients(settings)
        price = "forward passes alone" if number is None else f"about {number} gradients an image"
        print(f"{method.name} ({kind}, {price})")
        print(f"    {method.summary}")


def _layers(options: argparse.Namespace) -> None:
    classifier, image = _classifier(options), _pictures(options).images[0]
    if not isinstance(classifier, Adapted):
        raise InputError(
            f"model: expected one from cfx_jax.adapters, whose layers have names, got"
            f" {type(classifier).__name__}"
        )
    default = classifier.last_spatial_layer(image)
    for name, shape in classifier.layers(image).items():
        note = " (class activation maps read this one by default)" if name == default else ""
        print(f"{name}: {'x'.join(map(str, shape))}{note}")


def _report(options: argparse.Namespace) -> None:
    print(f"Page: {load_explanations(options.folder).report(options.folder / _PAGE).resolve()}")


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


def _pictures(options: argparse.Namespace) -> Pictures:
    size = options.size and tuple(options.size)
    pictures = read_pictures(options.images, size=size, channels=options.channels)
    for line in pictures.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    return pictures


def _target(text: str) -> str | int:
    """A class by its number or name, or ``runner_up``; ``explain`` reads it in ``_targets``."""
    return int(text) if text.isdecimal() else text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cfx", description="Explains an image classifier by what would have to change."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("explain", help="explain a model's decisions on images")
    _add_model(command)
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
    command.add_argument("--classes", nargs="+", help="names of the classes, in order")
    command.add_argument("--norm", type=float, default=2.0, help="p of the lp norm, or inf")
    command.add_argument("--radius", type=float, help="largest change; default: by the image size")
    command.add_argument("--probability", type=float, default=0.9, help="wanted by 'smallest'")
    command.add_argument("--num-steps", type=int, default=Settings.num_steps, help="of a search")
    command.add_argument("--layer", help="of class activation maps; default: the last spatial one")
    command.add_argument("--window", type=int, help="side of what occlusion hides, in pixels")
    command.add_argument("--batch-size", type=int, default=8, help="images computed at once")
    command.add_argument("--seed", type=int, default=0, help="of what is random")
    command.set_defaults(run=_explain)
    command = commands.add_parser("check", help="look for faults of a model on images")
    _add_model(command)
    command.set_defaults(run=_check)
    command = commands.add_parser("layers", help="list a model's layers for an image, by name")
    _add_model(command)
    command.set_defaults(run=_layers)
    command = commands.add_parser("methods", help="list the methods and what they cost")
    command.set_defaults(run=_methods)
    command = commands.add_parser("report", help="write the page of stored explanations anew")
    command.add_argument("folder", type=Path, help="what --out was")
    command.set_defaults(run=_report)
    return parser


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", required=True, help="module:function, .pt, .pt2, .keras, .jax")
    command.add_argument("--images", nargs="+", required=True, help="files and folders")
    command.add_argument("--size", nargs=2, type=int, metavar=("HEIGHT", "WIDTH"))
    command.add_argument("--channels", type=int, choices=(1, 3), help="of the model's images")
    command.add_argument("--layout", choices=("channels_first", "channels_last"))
    command.add_argument("--value-range", nargs=2, type=float, metavar=("BLACK", "WHITE"))
    command.add_argument("--mean", nargs="+", type=float, help="subtracted, for each channel")
    command.add_argument("--std", nargs="+", type=float, help="divided by, for each channel")
    command.add_argument("--outputs", choices=("logits", "probabilities", "log_probabilities"))
    command.add_argument("--label", type=int, help="of a model of several labels")
