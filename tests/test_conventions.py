"""The house's conventions, over every public function and class."""

import importlib
import inspect
import subprocess
import sys
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
NOT_LOADED = (
    "flax",
    "grain",
    "orbax",
    "cv2",
    "matplotlib",
    "PIL",
    "tyro",
    "cfx_jax.models",
    "cfx_jax.data",
    "cfx_jax.training",
    "cfx_jax.report",
)


def public(package):
    module = importlib.import_module(f"cfx_jax.{package}")
    for name, value in vars(module).items():
        home = getattr(value, "__module__", "") or ""
        if not name.startswith("_") and callable(value) and home.startswith("cfx_jax"):
            yield f"{package}.{name}", value


def everything(package):
    return {name: value for name, value in public(package) if not typing.get_origin(value)}


def functions(package):
    return {
        name: value for name, value in public(package) if inspect.isfunction(inspect.unwrap(value))
    }


each_package = pytest.mark.parametrize("package", PACKAGES)


@each_package
def test_docstrings_open_with_one_sentence(package):
    faults = {}
    for name, value in everything(package).items():
        opening = (inspect.getdoc(value) or "").split("\n\n")[0].rstrip()
        if not opening.endswith((".", ":")):
            faults[name] = opening or "no docstring"
    assert not faults, f"the docstring's first paragraph ends without a full stop: {faults}"


@each_package
def test_everything_is_typed(package):
    for name, function in functions(package).items():
        signature = inspect.signature(function)
        untyped = [
            argument
            for argument, parameter in signature.parameters.items()
            if parameter.annotation is parameter.empty
        ]
        assert not untyped, f"{name}: no type for {untyped}"
        assert signature.return_annotation is not signature.empty, f"{name}: no return type"


@each_package
def test_options_are_keyword_only(package):
    for name, function in functions(package).items():
        for option, parameter in inspect.signature(function).parameters.items():
            if parameter.default is not parameter.empty:
                assert parameter.kind is parameter.KEYWORD_ONLY, (
                    f"{name}: {option} has a default and is positional"
                )


@each_package
def test_a_required_key_comes_first(package):
    for name, function in functions(package).items():
        parameters = inspect.signature(function).parameters
        positional = [
            argument
            for argument, parameter in parameters.items()
            if parameter.kind is not parameter.KEYWORD_ONLY
        ]
        if "key" in positional:
            assert positional[0] == "key", f"{name}: key is argument {positional.index('key') + 1}"
        assert not {"rng_key", "seed_key"} & set(parameters), name


@each_package
def test_parameters_of_long_signatures_are_described(package):
    for name, function in functions(package).items():
        documentation = inspect.getdoc(function) or ""
        parameters = inspect.signature(function).parameters
        elsewhere = "Arguments and errors as ``" in documentation
        if len(parameters) > 2 and not elsewhere:
            missing = [argument for argument in parameters if argument not in documentation]
            assert not missing, f"{name}: the docstring does not mention {missing}"


def test_methods_import_no_flax_no_data_and_no_files():
    """Arrows point one way: a model reaches the methods only as a callable.

    One process imports all the packages: what none of them loads, no single one loads.
    """
    program = f"""
import importlib, sys
for package in {FLAX_FREE}:
    importlib.import_module(f"cfx_jax.{{package}}")
    loaded = [module for module in {NOT_LOADED} if module in sys.modules]
    assert not loaded, f"{{package}} loads {{loaded}}"
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
