import os

import cv2
import numpy as np
import pytest
from fundus_photographs import photograph
from image_folders import write_folder

from cfx_jax.data import shared_copies, split
from cfx_jax.errors import InputError
from experiments.prepare_fundus import find_photographs
from experiments.shared import folder_note, load_folder
from experiments.shared.folder_images import FOLDER_NOTE

OPTIONS = {"size": 8, "channels": 1, "classes": ("sad", "glad")}


def test_sound_folder_has_the_usual_note_and_no_groups(tmp_path):
    images = load_folder(str(write_folder(tmp_path, count=4)), **OPTIONS)
    assert folder_note(images) == FOLDER_NOTE and images.groups is None
    assert len(images) == 8 and images.class_names == ("sad", "glad")


def test_what_a_folder_has_beside_its_images_is_in_the_note_and_copies_stay_together(tmp_path):
    folder = write_folder(tmp_path, count=6)
    for number in range(3):
        (folder / "glad" / f"copy{number}.png").write_bytes(
            (folder / "glad" / f"{number}.png").read_bytes()
        )
    (folder / "glad/other.png").write_bytes((folder / "sad/0.png").read_bytes())
    (folder / "glad/bad.jpg").write_bytes(b"no image")
    (folder / "sad/notes.txt").write_text("text")
    with pytest.warns(UserWarning):
        images = load_folder(str(folder), **OPTIONS)
    for part in (
        "1 damaged files skipped",
        "1 files left out",
        "4 images that equal an earlier one",
        "1 images that equal",
    ):
        assert part in folder_note(images)
    groups = images.groups
    assert images.patients is None and images.group_unit == "different images"
    shares = {"train": 0.5, "test": 0.5}
    assert not shared_copies(groups, split(images.labels, shares, seed=0, groups=groups))


def test_the_identity_of_a_folder_is_that_of_its_pixels_and_labels(tmp_path):
    folder = write_folder(tmp_path, count=2)

    def identity(**options):
        return load_folder(str(folder), **{**OPTIONS, **options}).identity

    first = identity()
    others = [identity(size=9), identity(classes=("glad", "sad"))]
    assert identity() == first
    picture = cv2.imread(str(folder / "sad/1.png"))
    picture[0, 0] ^= 128
    cv2.imwrite(str(folder / "sad/1.png"), picture)
    others.append(identity())
    assert all(other != first for other in others)


def test_class_folder_whose_name_is_no_text_is_refused_at_the_start(tmp_path):
    write_folder(tmp_path, count=1)
    (tmp_path / "glad").rename(tmp_path / os.fsdecode(b"caf\xe9"))
    with pytest.raises(InputError, match="class folders with names in UTF-8"):
        load_folder(str(tmp_path), size=8, channels=1, classes=())


def test_photographs_are_found_by_content_and_in_linked_folders(tmp_path):
    (tmp_path / "store").mkdir()
    cv2.imwrite(str(tmp_path / "store/1.png"), photograph(0, height=60).image)
    (tmp_path / "store/1.png").rename(tmp_path / "store/scan")
    (tmp_path / "source").mkdir()
    (tmp_path / "source/DR").symlink_to(tmp_path / "store")
    (tmp_path / "source/list.csv").write_text("a,b")
    with pytest.warns(UserWarning, match="1 files are left out: 1 .csv files"):
        jobs = find_photographs(tmp_path / "source", tmp_path / "out")
    assert [job.name for job in jobs] == ["DR/scan"] and np.all(
        cv2.imread(str(jobs[0].image)) is not None
    )
