"""How trainings of fast tests compile."""

import importlib

import pytest

ATTACK = importlib.import_module("cfx_jax.losses.trades_attack")  # its face gives the function


@pytest.fixture(autouse=True)
def attacks_stay_loops(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    """On a CPU the steps of an attack are written out, and compile as often as there are steps; of
    a toy's steps a loop is fast enough. ``tests/losses/test_trades_attack.py`` tests that both
    give the same images; slow tests train as users do.
    """
    if "not slow" in pytestconfig.option.markexpr:
        monkeypatch.setattr(ATTACK, "scan_unroll", lambda: 1)
