import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from fundus_photographs import photograph

from cfx_jax.data.fundus import Job, batch, crop_mask, prepare_files, preprocess
from cfx_jax.errors import InputError

PHOTOGRAPHS = [photograph(seed, height=120) for seed in range(4)]


@pytest.fixture
def jobs(tmp_path):
    """Four photographs, one of them with a lesion mask."""
    (tmp_path / "given").mkdir()
    for index, each in enumerate(PHOTOGRAPHS):
        cv2.imwrite(str(tmp_path / f"given/{index}.png"), each.image[..., ::-1])
    shape = PHOTOGRAPHS[0].image.shape[:2]
    red = np.zeros((*shape, 3), np.uint8)
    red[40:50, 30:60, 2] = 1  # sets draw masks in colour; any value above 0 counts
    cv2.imwrite(str(tmp_path / "given/mask.tif"), red)
    masks = {"exudates": tmp_path / "given/mask.tif"}
    names = ("10_left", "10_right.v2", "sub/3", "sub/4")
    return [
        Job(n, tmp_path / f"given/{i}.png", masks if i == 0 else {}) for i, n in enumerate(names)
    ]


def prepared(jobs, out, **options):
    return prepare_files(jobs, out, size=32, progress=False, **options)


def contents(out):
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != "report.csv"
    }


def rows(out):
    with (out / "report.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_files_hold_what_preprocess_gives(jobs, tmp_path):
    out = tmp_path / "out"
    result = prepared(jobs, out)
    assert result.kept == [job.name for job in jobs] and result.dropped == {}
    for job, each in zip(jobs, PHOTOGRAPHS, strict=True):
        image, mask, _ = preprocess(each.image, size=32)
        np.testing.assert_array_equal(
            cv2.imread(str(out / f"images/{job.name}.png"))[..., ::-1], image
        )
        found = cv2.imread(str(out / f"eye_masks/{job.name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(found, mask * np.uint8(255))


def test_lesion_masks_lie_under_their_kind(jobs, tmp_path):
    prepared(jobs, tmp_path / "out")
    found = list((tmp_path / "out/lesion_masks").rglob("*.png"))
    assert found == [tmp_path / "out/lesion_masks/exudates/10_left.png"]
    image = PHOTOGRAPHS[0].image
    whole = np.zeros(image.shape[:2], bool)
    whole[40:50, 30:60] = True
    expected = crop_mask(whole, preprocess(image).circle, size=32, image_shape=whole.shape)
    assert expected.any()
    np.testing.assert_array_equal(
        cv2.imread(str(found[0]), cv2.IMREAD_UNCHANGED), expected * np.uint8(255)
    )


def test_the_report_has_one_line_for_each_photograph(jobs, tmp_path):
    blank = tmp_path / "given/blank.png"
    cv2.imwrite(str(blank), np.full((100, 100, 3), 90, np.uint8))
    result = prepared([*jobs, Job("blank", blank)], tmp_path / "out")
    found = {row["name"]: row for row in rows(tmp_path / "out")}
    assert len(rows(tmp_path / "out")) == 5
    assert (
        found["blank"]["status"] == "dropped"
        and found["blank"]["reason"] == result.dropped["blank"]
    )
    for job, each in zip(jobs, PHOTOGRAPHS, strict=True):
        row, circle = found[job.name], preprocess(each.image).circle
        assert (row["status"], row["reason"]) == ("ok", "")
        numbers = [float(row[column]) for column in ("x", "y", "radius")]
        np.testing.assert_allclose(numbers, circle, atol=6e-4)


def test_what_cannot_be_used_is_dropped_with_its_reason(jobs, tmp_path):
    bad = {
        "noise": cv2.imencode(
            ".png", np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
        )[1].tobytes(),
        "small": cv2.imencode(".png", np.zeros((20, 30, 3), np.uint8) + 60)[1].tobytes(),
        "text": b"no image",
    }
    for name, content in bad.items():
        (tmp_path / f"given/{name}.png").write_bytes(content)
    extra = [Job(name, tmp_path / f"given/{name}.png") for name in (*bad, "missing")]
    result = prepared([*jobs, *extra], tmp_path / "out")
    assert result.kept == [job.name for job in jobs]
    assert result.dropped.keys() == {"noise", "small", "text", "missing"}
    assert result.dropped["noise"].startswith("no visible eye: ")
    assert result.dropped["small"].startswith("too small: 20 x 30 pixels")
    assert result.dropped["text"] == "cannot be decoded"
    assert result.dropped["missing"] == "cannot be read (No such file or directory)"
    assert not (tmp_path / "out/images/noise.png").exists()


def test_a_second_run_reads_nothing_and_gives_the_same(jobs, tmp_path, monkeypatch):
    first = prepared(jobs, tmp_path / "out")
    before = contents(tmp_path / "out")
    monkeypatch.setattr(batch, "preprocess", None)
    assert prepared(jobs, tmp_path / "out") == first
    assert contents(tmp_path / "out") == before
    assert prepared(jobs[1:3], tmp_path / "out").kept == [job.name for job in jobs[1:3]]


def test_a_stopped_run_goes_on_and_ends_like_an_uninterrupted_one(jobs, tmp_path, monkeypatch):
    calls = []

    def stopping(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return preprocess(*arguments, **options)

    monkeypatch.setattr(batch, "preprocess", stopping)
    with pytest.raises(KeyboardInterrupt):
        prepared(jobs, tmp_path / "out", num_threads=1)
    done = len(rows(tmp_path / "out"))
    assert 1 <= done <= 3
    calls.clear()
    monkeypatch.setattr(
        batch, "preprocess", lambda *a, **o: (calls.append(1), preprocess(*a, **o))[1]
    )
    result = prepared(jobs, tmp_path / "out")
    assert len(calls) == len(jobs) - done
    assert result == prepared(jobs, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_lost_file_and_a_new_mask_are_made_again(jobs, tmp_path):
    prepared([Job(job.name, job.image) for job in jobs], tmp_path / "out")
    (tmp_path / "out/images/sub/3.png").unlink()
    prepared(jobs, tmp_path / "out")
    prepared(jobs, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_process_leaves_no_broken_file_and_goes_on(jobs, tmp_path):
    many = [Job(f"{n}", jobs[n % 4].image) for n in range(60)]
    code = (
        "import sys; from pathlib import Path; from cfx_jax.data.fundus import Job,"
        f" prepare_files;jobs = [Job(str(n), Path(sys.argv[1]) / f'{{n % 4}}.png') for n in"
        f" range({len(many)})];prepare_files(jobs, Path(sys.argv[2]), size=32, progress=False)"
    )
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "given"), str(out)])
    while process.poll() is None and len(list(out.glob("images/*.png"))) < 10:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = len(rows(out))
    assert finished < len(many)
    assert all(cv2.imread(str(path)) is not None for path in out.glob("*/[0-9]*.png"))
    assert prepared(many, out).kept == [job.name for job in many]
    assert len(rows(out)) == len(many)


def test_other_settings_need_another_folder(jobs, tmp_path):
    prepared(jobs[:1], tmp_path / "out")
    expected = (
        r'out: expected the settings of the earlier run, \{ "size": 32, "clahe": true \} .*'
        r'got \{"size": 64'
    )
    with pytest.raises(InputError, match=expected):
        prepare_files(jobs, tmp_path / "out", size=64, progress=False)
    with pytest.raises(InputError, match="choose another folder, or the same settings"):
        prepared(jobs, tmp_path / "out", clahe=False)


@pytest.mark.parametrize(
    "damage", [b"", b"\xff\xfe", pytest.param(b"[" * 100_000, id="deep"), b"[1]", b'{"size": ']
)
def test_damaged_settings_are_one_line(jobs, tmp_path, damage):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "settings.json").write_bytes(damage)
    with pytest.raises(
        InputError, match=r"settings.json' is damaged, .*: restore it, or choose another folder$"
    ):
        prepared(jobs[:1], tmp_path / "out")


def test_a_mask_of_another_shape_names_both_files(jobs, tmp_path):
    job = Job("other", jobs[1].image, jobs[0].masks)
    with pytest.raises(
        InputError,
        match=r"lesion mask '.*mask\.tif' of '.*1\.png': mask: expected the image's 120 x ",
    ):
        prepared([job], tmp_path / "out")


def test_a_mask_that_cannot_be_read_stops_the_run(jobs, tmp_path):
    for path, reason in (
        (tmp_path / "none.tif", "No such file"),
        (Path(__file__), "cannot be decoded"),
    ):
        with pytest.raises(InputError, match=rf"lesion mask '.*' of '.*0\.png': .*{reason}"):
            prepared([Job("a", jobs[0].image, {"exudates": path})], tmp_path / "out")


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "./a", "a/"])
def test_names_are_relative_paths(name, tmp_path):
    with pytest.raises(
        InputError, match="jobs: expected names that are relative paths such as 'a/b', got '"
    ):
        prepared([Job(name, tmp_path / "a.png")], tmp_path / "out")


def test_names_are_used_once(tmp_path):
    twice = [Job("a", Path("one.png")), Job("a", Path("two.png"))]
    with pytest.raises(
        InputError, match=r"jobs: expected names used once, got 'a' for 'one\.png' and 'two\.png'"
    ):
        prepared(twice, tmp_path / "out")


def test_mistakes_leave_no_folder_behind(tmp_path):
    with pytest.raises(InputError, match="size: expected at least 1 pixel, got 0"):
        prepare_files([], tmp_path / "out", size=0)
    with pytest.raises(InputError, match="num_threads: expected at least 1, got 0"):
        prepared([], tmp_path / "out", num_threads=0)
    assert not (tmp_path / "out").exists()


def test_names_that_are_no_text_are_refused_at_the_start(tmp_path):
    with pytest.raises(
        InputError,
        match=r"jobs: expected names in UTF-8, got 'caf\\udce9': rename the file or its folder",
    ):
        prepare_files([Job("caf\udce9", tmp_path / "a.png")], tmp_path / "out")
