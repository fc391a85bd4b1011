"""The house's conventions, over every public function and class."""

import importlib
import inspect
import typing

import pytest

PACKAGES = (
    "geometry",
    "optimise",
    "objectives",
    "counterfactuals",
    "attributions",
    "maps",
    "models",
    "losses",
    "metrics",
    "data",
    "data.fundus",
    "data.sets",
    "training",
    "parallel",
    "checks",
    "diagnosis",
    "generator_interfaces",
    "image_registration",
    "report",
)
FLAX_FREE = (
    "geometry",
    "optimise",
    "objectives",
    "counterfactuals",
    "attributions",
    "maps",
    "metrics",
    "diagnosis",
    "generator_interfaces",
    "image_registration",
)


def public(package):
    module = importlib.import_module(f"cfx_jax.{package}")
    for name, value in vars(module).items():
        home = getattr(value, "__module__", "") or ""
        if not name.startswith("_") and callable(value) and home.startswith("cfx_jax"):
            yield f"{package}.{name}", value


def own_functions():
    for package in PACKAGES:
        yield from (
            (name, value)
            for name, value in public(package)
            if inspect.isfunction(inspect.unwrap(value))
        )


FUNCTIONS = dict(own_functions())
EVERYTHING = {
    name: value
    for package in PACKAGES
    for name, value in public(package)
    if not typing.get_origin(value)
}


@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_docstring_opens_with_one_sentence(name):
    documentation = inspect.getdoc(EVERYTHING[name])
    assert documentation, f"{name} has no docstring"
    opening = documentation.split("\n\n")[0].rstrip()
    assert opening.endswith((".", ":")), (
        f"{name}: the docstring's first paragraph ends without a full stop: {opening!r}"
    )


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_everything_is_typed(name):
    signature = inspect.signature(FUNCTIONS[name])
    untyped = [
        each
        for each, parameter in signature.parameters.items()
        if parameter.annotation is parameter.empty
    ]
    assert not untyped, f"{name}: no type for {untyped}"
    assert signature.return_annotation is not signature.empty, f"{name}: no return type"


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_options_are_keyword_only(name):
    for each, parameter in inspect.signature(FUNCTIONS[name]).parameters.items():
        if parameter.default is not parameter.empty:
            assert parameter.kind is parameter.KEYWORD_ONLY, (
                f"{name}: {each} has a default and is positional"
            )


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_required_key_comes_first(name):
    parameters = inspect.signature(FUNCTIONS[name]).parameters
    positional = [
        each
        for each, parameter in parameters.items()
        if parameter.kind is not parameter.KEYWORD_ONLY
    ]
    if "key" in positional:
        assert positional[0] == "key", f"{name}: key is argument {positional.index('key') + 1}"
    assert "rng_key" not in parameters
    assert "seed_key" not in parameters


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_parameters_of_long_signatures_are_described(name):
    function = FUNCTIONS[name]
    documentation = inspect.getdoc(function) or ""
    parameters = inspect.signature(function).parameters
    elsewhere = "Arguments and errors as ``" in documentation
    if len(parameters) > 2 and not elsewhere:
        missing = [each for each in parameters if each not in documentation]
        assert not missing, f"{name}: the docstring does not mention {missing}"


@pytest.mark.parametrize("package", FLAX_FREE)
def test_methods_import_no_flax_no_data_and_no_files(package):
    """Arrows point one way: a model reaches the methods only as a callable."""
    import subprocess
    import sys

    code = (
        f"import sys, cfx_jax.{package};bad = [m for m in ('flax', 'grain', 'orbax', 'cv2',"
        " 'matplotlib', 'PIL', 'tyro', 'cfx_jax.models', 'cfx_jax.data', 'cfx_jax.training',"
        " 'cfx_jax.report') if m in sys.modules]; print(','.join(bad))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert loaded == ""
