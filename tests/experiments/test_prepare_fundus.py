import cv2
import numpy as np
import pytest
from fundus_photographs import photograph

from cfx_jax.errors import InputError
from experiments import prepare_fundus
from experiments.shared import command_line


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    for index, name in enumerate(("DR/2.jpg", "DR/10.jpg", "healthy/1.TIF", ".hidden/9.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), photograph(index, height=120).image[..., ::-1])
    (folder / "notes.txt").write_text("no photograph")
    return folder


def prepare(*arguments):
    command_line.command(
        prepare_fundus.main, prepare_fundus.Config, arguments=[str(each) for each in arguments]
    )


def test_every_photograph_below_the_folder_is_prepared(source, tmp_path, capsys):
    out = tmp_path / "out"
    prepare("--source", source, "--out", out, "--size", 32)
    found = sorted(
        path.relative_to(out / "images").as_posix() for path in out.glob("images/**/*.png")
    )
    assert found == ["DR/10.png", "DR/2.png", "healthy/1.png"]
    assert cv2.imread(str(out / "images/DR/2.png")).shape == (32, 32, 3)
    assert capsys.readouterr().out == f"3 photographs are in {out / 'images'}, 0 dropped\n"


def test_jobs_are_in_numeric_order(source, tmp_path):
    jobs = prepare_fundus.find_photographs(source, tmp_path / "out")
    assert [job.name for job in jobs] == ["DR/2", "DR/10", "healthy/1"]


def test_the_first_ten_dropped_are_printed_with_their_reasons(tmp_path, capsys):
    (tmp_path / "source").mkdir()
    for index in range(12):
        cv2.imwrite(str(tmp_path / f"source/{index}.png"), np.zeros((20, 30, 3), np.uint8) + 60)
    prepare("--source", tmp_path / "source", "--out", tmp_path / "out")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"0 photographs are in {tmp_path / 'out/images'}, 12 dropped"
    assert lines[1:11] == [
        f"  {n}: too small: 20 x 30 pixels, fewer than 48 a side" for n in range(10)
    ]
    assert lines[11:] == [f"  ... all are in {tmp_path / 'out/report.csv'}"]


def test_mistakes_are_named(source, tmp_path):
    find = prepare_fundus.find_photographs
    with pytest.raises(
        InputError, match=r"--source: expected a folder of photographs, but '.*none' is none: check"
    ):
        find(tmp_path / "none", tmp_path / "out")
    with pytest.raises(
        InputError,
        match=r"--out: expected a folder outside of --source, got '.*': its images would be",
    ):
        find(source, source / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        InputError, match=r"--source: expected photographs \(.*\.tiff\), but '.*empty' holds none"
    ):
        find(tmp_path / "empty", tmp_path / "out")


def test_a_mistake_ends_the_command_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        prepare("--source", tmp_path / "none", "--out", tmp_path / "out")
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("error: --source: expected a folder of photographs")
