"""Every experiment on two processes of one host, and two of them on four: the claims of one."""

import json

import pytest
from several_processes import ends, start_processes

NAMES = (
    "acat",
    "fundus_vce",
    "path_attribution",
    "progressive_exaggeration",
    "similar_adversarial",
)
_LIMIT = 5400.0


def claims_of(folder, name, count):
    """The claims of a smoke run on some processes."""
    where = ["--results", str(folder / f"r{count}"), "--work", str(folder / f"w{count}")]
    command = ["-m", f"experiments.{name}", "--preset", "smoke", *where]
    for status, _, errors in ends(start_processes(command, count), seconds=_LIMIT):
        assert status == 0, errors[-2000:]
    report = folder / f"r{count}" / name / "smoke" / "claims.json"
    return json.loads(report.read_text())["claims"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_processes_give_the_claims_of_one(tmp_path, name):
    one, two = (claims_of(tmp_path, name, count) for count in (1, 2))
    assert [claim["id"] for claim in two] == [claim["id"] for claim in one]
    assert [claim["verdict"] for claim in two] == [claim["verdict"] for claim in one]
    # Two devices add in one order, in one process or in two: the same arithmetic.
    assert two == one


@pytest.mark.slow
@pytest.mark.parametrize("name", ["acat", "fundus_vce"])
def test_four_processes_give_the_verdicts_of_one(tmp_path, name):
    one, four = (claims_of(tmp_path, name, count) for count in (1, 4))
    assert [claim["verdict"] for claim in four] == [claim["verdict"] for claim in one]
