"""Messages at the command line name its options."""

import argparse

import pytest

from cfx_jax.explain import wording
from cfx_jax.explain.command import _parser as parser_of_cfx
from cfx_jax.explain.wording import in_options
from trainers.command.command import _parser as parser_of_train


def options_of(parser):
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from options_of(command)


def test_every_option_that_is_named_exists():
    known = {*options_of(parser_of_cfx({})), *options_of(parser_of_train())}
    assert set(wording._NAMES.values()) <= known


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("value_range: expected two values", "--value-range: expected two values"),
        ("p: expected a norm", "--norm: expected a norm"),
        ("model: expected a file", "model: expected a file"),
        ("a.png: size: 3", "a.png: size: 3"),
        (
            "model: it raised KeyError: x: give Inputs(layout=, channels=, size=)",
            "model: it raised KeyError: x: give --layout, --channels, --size",
        ),
        (
            "choose one with Outputs('probabilities', label=...), or return the values before them",
            "choose one with --outputs probabilities, --label, or return the values before them",
        ),
        (
            "got weights alone: build their network and give the network to from_torch",
            "got weights alone: build their network and let --model name a function that returns"
            " the network, as module:function",
        ),
        (
            "got probabilities: return the values before the softmax, or their logarithm",
            "got probabilities: give --outputs probabilities, or return the values before the"
            " softmax, or their logarithm",
        ),
    ],
)
def test_arguments_of_python_become_options(message, expected):
    assert in_options(message) == expected
