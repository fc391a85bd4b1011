"""Messages of the library in the words of the command line."""

import re

_NAMES = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "size",
        "window",
        "groups",
        "classes",
        "channels",
        "grey",
        "layout",
        "channel_order",
        "value_range",
        "mean",
        "std",
        "label",
        "out",
        "methods",
        "target",
        "between",
        "radius",
        "radii",
        "probability",
        "num_steps",
        "num_nodes",
        "num_samples",
        "layer",
        "occlusion_window",
        "batch_size",
        "shard",
        "seed",
        "labels",
        "validation",
    )
} | {"p": "--norm", "targets": "--target", "generators": "--generator"}
"""Arguments in Python -> options."""
_FACTS = re.compile(r"\b(?:Inputs|Outputs)\(([^()]*)\)")
_KIND = re.compile(r"'(\w+)'")
_ARGUMENT = re.compile(r"(\w+)=")
_ADVICE = (
    (
        re.compile(r"give the model itself to .*?from_equinox\)?"),
        "let --model name the model itself, or a function that returns it",
    ),
    (
        re.compile(r"give (it|the network) to from_torch"),
        r"let --model name a function that returns \1, as module:function",
    ),
    (
        re.compile(r"(return the values? before the (?:softmax|sigmoid))"),
        r"give --outputs probabilities, or \1",
    ),
    (re.compile(r", and name a layer of another size in `keep`"), ""),
    (re.compile(r"explain objectives\.log_odds, or "), ""),
)
"""What is advised in Python, and what at the command line."""


def in_options(message: str) -> str:
    """A message that names the options of ``cfx`` in place of arguments in Python.

    Args:
        message: one line, of an ``InputError`` or a diagnosis.

    Example:
        >>> in_options("mean: expected 3 numbers, got 2: give Inputs(layout=, channels=)")
        '--mean: expected 3 numbers, got 2: give --layout, --channels'
        >>> in_options("choose one with Outputs('probabilities', label=...)")
        'choose one with --outputs probabilities, --label'
    """
    name, colon, rest = message.partition(": ")
    message = f"{_NAMES.get(name, name)}{colon}{rest}"
    message = _FACTS.sub(_options, message)
    for advice, instead in _ADVICE:
        message = advice.sub(instead, message)
    return message


def _options(facts: re.Match[str]) -> str:
    """The options that say what ``Inputs(...)`` or ``Outputs(...)`` says."""
    kinds = [f"--outputs {kind}" for kind in _KIND.findall(facts[1])]
    return ", ".join(
        [*kinds, *(f"--{name.replace('_', '-')}" for name in _ARGUMENT.findall(facts[1]))]
    )
