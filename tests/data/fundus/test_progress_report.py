import pytest

from cfx_jax.data.fundus import Circle
from cfx_jax.data.fundus.progress_report import Outcome, ProgressReport
from cfx_jax.errors import InputError

KEPT = Outcome('odd, "name"', "", Circle(1.5, 2.25, 3.125))
DROPPED = Outcome("b", "no visible eye: 3, or more", None)


@pytest.fixture
def path(tmp_path):
    report = ProgressReport(tmp_path / "report.csv")
    report.add(KEPT)
    report.add(DROPPED)
    return tmp_path / "report.csv"


def test_what_was_added_is_there_at_the_next_start(path):
    assert ProgressReport(path).outcomes == {KEPT.name: KEPT, DROPPED.name: DROPPED}


def test_columns_and_numbers(path):
    assert path.read_text().splitlines() == [
        "name,status,reason,x,y,radius",
        '"odd, ""name""",ok,,1.500,2.250,3.125',
        'b,dropped,"no visible eye: 3, or more",,,',
    ]


def test_a_line_cut_short_at_any_place_is_forgotten_and_the_rest_kept(path):
    whole = path.read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])
        assert ProgressReport(path).outcomes == {KEPT.name: KEPT}
        assert path.read_bytes() == whole[:last]


def test_a_heading_cut_short_is_written_again(path):
    path.write_bytes(b"name,sta")
    ProgressReport(path).add(DROPPED)
    assert ProgressReport(path).outcomes == {"b": DROPPED}


def test_a_later_line_replaces_an_earlier_one(path):
    ProgressReport(path).add(DROPPED._replace(name=KEPT.name))
    assert ProgressReport(path).outcomes[KEPT.name].circle is None


def test_another_file_of_that_name_is_left_alone(path):
    path.write_text("image,level\n1,2\n")
    with pytest.raises(
        InputError, match=r"report\.csv: expected a report with the columns name,status,reason,x,y,radius"
    ):
        ProgressReport(path)
    assert path.read_text() == "image,level\n1,2\n"
