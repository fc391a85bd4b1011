"""The page of all claims, from made-up runs whose counts are known."""

import json

import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics import Interval
from cfx_jax.report import Claim, write_claims
from experiments import claims_page as page
from experiments.shared import Level, add_levels


def claim(name, verdict, *, kind="statement", interval=(0.1, 0.0, 0.2), **more):
    place = "" if kind == "target" else "Table 1 | first row"
    given = {"text": f"{name} is so.", "paper": {}, "ours": {}, "statistic": "IoU; a minus b"}
    return Claim(
        id=name, verdict=verdict, kind=kind, interval=interval, place=place, **(given | more)
    )


CLAIMS = [
    claim("O4 IoU 98 SyCE", "fails", interval=(-0.25, -0.5, -0.0625)),
    claim("O4 best IoU 98", "holds"),
    claim("O5 FDR", "holds"),
    claim("O40", "undecided", interval=(0.125, float("nan"), float("nan"))),
    claim("O6", "fails", kind="ordering"),
    claim("ours", "undecided", kind="target", interval=None),
]
REASONS = """
[path_attribution]
about = "Two cores, commit `abc`."
O4 = "The way back from x_a shows another place. See [the results](index.md)."
"O4 best" = "Never used: it holds."
"""


@pytest.fixture
def results(tmp_path):
    write(tmp_path / "results", "path_attribution", CLAIMS)
    write(tmp_path / "results", "acat", [claim("accuracy, baseline (stroke)", "holds")])
    (tmp_path / "reasons.toml").write_text(REASONS)
    return tmp_path


def write(folder, experiment, claims, preset="demo"):
    place = folder / experiment / preset
    place.mkdir(parents=True)
    write_claims(place / "claims.json", claims, note="Synthetic.")


def written(folder, **options):
    given = {
        "results": (folder / "results",),
        "reasons": folder / "reasons.toml",
        "out": folder / "claims.md",
    }
    page.main(page.Config(**(given | options)))
    return (folder / "claims.md").read_text()


def cells_of(text, name):
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in row.replace("\\|", "¦").strip("|").split(" | ")]


def test_the_share_is_of_decided_statements_alone(results):
    text = written(results)
    # Two hold and one fails on paths, one holds of ACAT; the failing ordering and the undecided
    # ones do not count.
    assert "Of the 4 decided claims that are statements of the papers, 3 hold, 75%; 1 are" in text
    assert cells_of(text, "path\\_attribution, demo")[1:] == [
        *("2", "1", "1"),
        *("0", "1", "0"),
        *("0", "0", "1"),
        "2 of 3",
    ]
    assert cells_of(text, "progressive\\_exaggeration, not run")[1] == "n/a"
    order = [text.index(f"## {title}") for title in page.PAPERS.values()]
    assert order == sorted(order) and text.count(": not run.") == 3


def test_each_claim_has_its_sentence_place_verdict_interval_and_power(results):
    text = written(results)
    cells = cells_of(text, "O4 IoU 98 SyCE")
    assert cells[1:4] == ["fails", "-0.25 [-0.5, -0.0625]", "0.22"]  # half of 0.4375
    assert cells[4:7] == ["O4 IoU 98 SyCE is so.", "Table 1 ¦ first row", "IoU; a minus b"]
    assert cells_of(text, "O40")[1:4] == ["undecided", "0.125 [n/a, n/a]", "n/a"]
    assert cells_of(text, "ours")[1:4] == ["undecided", "n/a", "n/a"]
    kinds = [text.index(f"### {title}: path_attribution") for title in page.KINDS.values()]
    assert kinds == sorted(kinds)


def test_reasons_lead_from_a_claim_to_the_longest_beginning_of_its_name(results, capsys):
    text = written(results)
    assert cells_of(text, "O4 IoU 98 SyCE")[-1] == "O4"
    assert cells_of(text, "O4 best IoU 98")[-1] == ""  # what holds needs none
    assert cells_of(text, "O40")[-1] == ""  # a beginning ends with a word
    assert cells_of(text, "O6")[-1] == "not explained"
    assert "- **O4**: The way back" in text and "Never used" not in text
    assert "Two cores, commit `abc`." in text
    told = capsys.readouterr().out
    assert f"path_attribution: no reason in {results / 'reasons.toml'} for O6\n" in told
    assert "fundus_vce: not run" in told and "acat: no reason" not in told
    keys = {"O4": "", "O4 best": "", "about": ""}
    assert page.find_reason("O4 best IoU", keys) == "O4 best"
    assert page.find_reason("O4, best", keys) == "O4" and page.find_reason("about", keys) is None


def test_the_words_of_the_reasons_stay_when_the_command_runs_again(results):
    first = written(results)
    assert written(results) == first and (results / "reasons.toml").read_text() == REASONS


def test_a_method_at_the_level_of_a_control_is_told_beside_the_claim(results):
    level = Level("SyCE E", "control: edges", 0.28, 0.27, Interval(0.01, -0.02, 0.04))
    noted = add_levels(claim("O7", "holds", note="Of one training."), [level])
    write(results / "more", "path_attribution", [noted], preset="paper")
    text = written(results, results=(results / "results", results / "more"))
    told = "SyCE E: at the level of edges (a control), 0.28 against 0.27; lead 0.01 [-0.02, 0.04]."
    assert cells_of(text, "O7")[-1] == told


def test_lines_of_text_fit_a_page(results):
    reason = (
        "word " * 60 + "`python -m experiments.claims_page --results one two three four five six`"
    )
    (results / "reasons.toml").write_text(f'[path_attribution]\nO4 = "{reason}"\n')
    lines = [line for line in written(results).splitlines() if not line.startswith("|")]
    assert max(map(len, lines)) <= 100
    assert "`python -m experiments.claims_page --results one two three four five six`" in "\n".join(
        lines
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda at: {"results": (at / "nowhere",)}, "expected a folder of results"),
        (lambda at: {"results": (at / "empty",)}, "got none: run an experiment first"),
        (lambda at: {"results": (at / "results",) * 2}, "acat/demo is there twice"),
        (lambda at: {"reasons": at / "nowhere.toml"}, "nowhere.toml cannot be read"),
        (lambda at: {"reasons": at / "broken.toml"}, "broken.toml is no TOML"),
        (lambda at: {"reasons": at / "other.toml"}, "expected tables of fundus_vce"),
        (lambda at: {"reasons": at / "number.toml"}, "expected a text for 'O1'"),
    ],
)
def test_mistakes_are_told_in_a_line(results, change, message):
    (results / "empty").mkdir()
    (results / "broken.toml").write_text("[acat")
    (results / "other.toml").write_text('[gan]\nO1 = "x"')
    (results / "number.toml").write_text("[acat]\nO1 = 1")
    with pytest.raises(InputError, match=message):
        written(results, **change(results))


@pytest.mark.parametrize("text", ["{", json.dumps({"claims": []}), json.dumps([1])])
def test_a_file_without_claims_is_named(results, text):
    place = results / "results" / "fundus_vce" / "demo"
    place.mkdir(parents=True)
    (place / "claims.json").write_text(text)
    with pytest.raises(InputError, match=r"fundus_vce/demo/claims\.json holds no claims of a run"):
        written(results)


def test_a_run_outside_of_the_papers_folders_is_named(results):
    write(results / "results", "other", CLAIMS)
    with pytest.raises(InputError, match="where EXPERIMENT is one of fundus_vce"):
        written(results)
