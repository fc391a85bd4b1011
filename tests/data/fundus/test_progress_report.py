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
        InputError,
        match=r"report\.csv: expected a report with the columns name,status,reason,x,y,radius",
    ):
        ProgressReport(path)
    assert path.read_text() == "image,level\n1,2\n"


def test_a_report_that_a_spreadsheet_has_saved_is_read_as_before(path):
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert ProgressReport(path).outcomes == {KEPT.name: KEPT, DROPPED.name: DROPPED}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"c,ok,,1,2", "5 columns instead of 6"),
        (b"c,ok,,1,2,3,4", "7 columns"),
        (b"c", "1 columns"),
        (b"c,ok,,1,2,x", "could not convert string to float: 'x'"),
        (b"c,ok,,nan,2,3", "nan,2,3 is no circle"),
        (b"c,ok,,1,2,-3", "1,2,-3 is no circle"),
        (b"c,maybe,,,,", "its status is neither ok nor dropped but 'maybe'"),
        (b'c,"ok" ,,1,2,3', "expected after"),
        (b'c,ok,"never closed,1,2,3', "unexpected end of data"),
        (b"c,ok,\xff,1,2,3", "codec can't decode"),
        pytest.param(
            b"c,dropped," + b"x" * 200_000 + b",,,", "field larger than field limit", id="long"
        ),
    ],
)
def test_a_damaged_line_is_named_and_the_file_left_alone(path, line, reason):
    content = path.read_bytes() + line + b"\n"
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=rf"report.csv: line \d+ or .* is damaged \(.*{reason}.*\): take it out"
    ):
        ProgressReport(path)
    assert path.read_bytes() == content
