import os

import cv2
import numpy as np
import pytest
from fundus_photographs import photograph
from image_folders import write_folder

from cfx_jax.data import find_organ, shared_copies, split
from cfx_jax.errors import InputError
from experiments.prepare_fundus import find_photographs
from experiments.shared import FolderOptions, folder_note, load_folder, split_images
from experiments.shared.folder_images import is_users

OPTIONS = {"size": 8, "channels": 1, "classes": ("sad", "glad")}


def load(path, **options):
    return load_folder(str(path), FolderOptions(**{**OPTIONS, **options}))


def test_sound_folder_has_the_usual_note_and_no_groups(tmp_path):
    images = load(write_folder(tmp_path, count=4))
    assert folder_note(images).startswith("Split by image") and images.groups is None
    assert len(images) == 8 and images.class_names == ("sad", "glad")
    assert images.source.notes == ("Images of each class: 4 sad, 4 glad.",)


def test_what_a_folder_has_beside_its_images_is_in_the_note_and_copies_stay_together(tmp_path):
    folder = write_folder(tmp_path, count=6)
    for number in range(3):
        (folder / "glad" / f"copy{number}.png").write_bytes(
            (folder / "glad" / f"{number}.png").read_bytes()
        )
    (folder / "glad/other.png").write_bytes((folder / "sad/0.png").read_bytes())
    (folder / "glad/bad.jpg").write_bytes(b"no image")
    (folder / "sad/notes.txt").write_text("text")
    images = load(folder)
    for part in (
        "1 files skipped",
        "1 .txt files",
        "4 images that equal an earlier one",
        "1 images that equal",
    ):
        assert part in folder_note(images)
    assert images.source.skipped == ("glad/bad.jpg: cannot be decoded",)
    groups = images.groups
    assert images.patients is None and images.group_unit == "different images"
    shares = {"train": 0.5, "test": 0.5}
    assert not shared_copies(groups, split(images.labels, shares, seed=0, groups=groups))


def test_an_image_that_is_damaged_behind_its_header_is_skipped(tmp_path):
    folder = write_folder(tmp_path, count=3)
    noise = np.random.default_rng(0).integers(0, 255, (300, 300), np.uint8)
    cv2.imwrite(str(folder / "sad/big.png"), noise)
    content = (folder / "sad/big.png").read_bytes()
    assert len(content) > 80_000
    (folder / "sad/big.png").write_bytes(content[:-500])
    images = load(folder)
    assert len(images) == 6 and images.source.skipped == ("sad/big.png: is cut short",)


def test_groups_are_never_divided_even_where_two_share_a_picture(tmp_path):
    folder = write_folder(tmp_path, count=12)
    for label in ("sad", "glad"):
        for number in range(12):
            (folder / label / f"{number}.png").rename(
                folder / label / f"p{number % 4}_{number}.png"
            )
    (folder / "glad/p9_copy.png").write_bytes((folder / "sad/p3_3.png").read_bytes())
    images = load(folder, groups=r"p(\d+)_")
    assert len(np.unique(images.groups)) == 4 and images.group_unit == "groups"
    assert folder_note(images).startswith("No group of images is in two parts.")
    parts = split_images(images, {"train": 0.5, "test": 0.5}, seed=0)
    groups = [set(images.groups[part]) for part in parts.values()]
    assert not groups[0] & groups[1] and sum(map(len, parts.values())) == 25


def write_table(folder, parts):
    """A table with the part of each picture of a folder, by its number."""
    names = [f"{label}/{number}.png" for label in ("sad", "glad") for number in range(8)]
    lines = [f"{name},{name.split('/')[0]},{parts[place % 8]}" for place, name in enumerate(names)]
    (folder / "t.csv").write_text("\n".join(["path,label,split", *lines]))
    return f"csv:{folder / 't.csv'}"


def test_the_parts_of_a_table_are_kept_and_further_ones_are_drawn_from_its_training_part(tmp_path):
    folder = write_folder(tmp_path, count=8)
    words = ["Train", "train", "training", "train", "train", "train", "val", "test"]
    images = load(write_table(folder, words))
    shares = {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2}
    parts = split_images(images, shares, seed=0)
    number = np.arange(16) % 8
    np.testing.assert_array_equal(number[parts["test"]], [7, 7])
    np.testing.assert_array_equal(number[parts["validation"]], [6, 6])
    assert sorted(map(len, parts.values())) == [2, 2, 4, 8]  # a third of the training part
    assert len(set(np.concatenate(list(parts.values())).tolist())) == 16
    assert "The parts are those of the table." in folder_note(images)


@pytest.mark.parametrize("words", [["test"] * 8, ["train"] * 7 + ["other"]])
def test_parts_that_are_none_are_named(tmp_path, words):
    images = load(write_table(write_folder(tmp_path, count=8), words))
    with pytest.raises(InputError, match=r"expected parts out of train, test, train among them"):
        split_images(images, {"train": 0.5, "test": 0.5}, seed=0)


def test_the_identity_of_a_folder_is_that_of_its_pixels_labels_and_groups(tmp_path):
    folder = write_folder(tmp_path, count=2)
    first = load(folder).identity
    others = [
        load(folder, size=9).identity,
        load(folder, classes=("glad", "sad")).identity,
        load(folder, groups=r"(\d)\.").identity,
    ]
    assert load(folder).identity == first
    picture = cv2.imread(str(folder / "sad/1.png"))
    picture[0, 0] ^= 128
    cv2.imwrite(str(folder / "sad/1.png"), picture)
    others.append(load(folder).identity)
    assert all(other != first for other in others)


def test_the_organ_is_found_or_the_rest_or_itself_is_black_and_copies_stay_the_same(tmp_path):
    folder = write_folder(tmp_path, count=3)
    plain = load(folder, size=32)
    sets = {organ: load(folder, size=32, organ=organ) for organ in ("found", "only", "removed")}
    assert "organ_mask" not in plain.arrays
    masks = sets["found"].arrays["organ_mask"]
    images = plain.arrays["image"]
    np.testing.assert_array_equal(masks, [find_organ(image) for image in images])
    assert masks.any() and not masks.all()
    np.testing.assert_array_equal(sets["found"].arrays["image"], images)
    np.testing.assert_array_equal(sets["only"].arrays["image"], images * masks[..., None])
    np.testing.assert_array_equal(sets["removed"].arrays["image"], images * ~masks[..., None])
    np.testing.assert_array_equal(sets["removed"].arrays["organ_mask"], masks)
    assert len({str(images.identity) for images in (plain, *sets.values())}) == 4
    # Nothing is left of two pictures, which are different pictures nevertheless.
    for number in (0, 1):
        cv2.imwrite(str(folder / f"sad/{number}.png"), np.full((32, 32), number, np.uint8))
    assert load(folder, size=32, organ="only").copies is None


def test_class_folder_whose_name_is_no_text_is_shown_escaped(tmp_path):
    write_folder(tmp_path, count=1)
    (tmp_path / "glad").rename(tmp_path / os.fsdecode(b"caf\xe9"))
    assert load(tmp_path, classes=()).class_names == (r"caf\udce9", "sad")


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


@pytest.mark.parametrize(
    ("data", "users"),
    [
        ("folder:scans", True),
        ("csv:table.csv", True),
        ("brain", False),
        ("rsna:folder", False),
        (("stroke", "lung"), False),
        (("stroke", "folder:scans"), True),
        ("", False),
    ],
)
def test_a_users_own_images_are_told_by_their_kind(data, users):
    assert is_users(data) is users
