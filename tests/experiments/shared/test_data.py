from types import SimpleNamespace

import chexpert_layouts
import face_layouts
import numpy as np
import pytest
import radiology_layouts
from image_folders import write_folder

from cfx_jax.errors import InputError
from experiments.shared import DataKind, Workspace, open_data
from experiments.shared.data import (
    BRAIN,
    CELEBA,
    CHEST,
    CHEXPERT,
    FACES,
    FOLDER,
    HEARTS,
    MSD,
    RSNA,
    ImageRequest,
)

KINDS = (
    DataKind("drawn", lambda request, path: ("drawn", request, path), has_path=False),
    DataKind("folder", lambda request, path: ("folder", request, path)),
)


def request(folder, **options):
    defaults = {"size": 32, "num_images": 6, "seed": 0}
    return ImageRequest(workspace=Workspace(folder / "work"), **{**defaults, **options})


def test_a_request_has_the_settings_of_its_name_and_defaults_of_the_others(tmp_path):
    config = SimpleNamespace(image_size=32, num_images=6, seed=3, channels=3, other=1)
    workspace = Workspace(tmp_path)
    made = ImageRequest.of(config, workspace=workspace, label="smiling")
    assert made == ImageRequest(
        size=32, num_images=6, seed=3, channels=3, workspace=workspace, label="smiling"
    )


def test_kind_is_opened_with_its_path():
    assert open_data("drawn", KINDS, 5) == ("drawn", 5, "")
    assert open_data("folder:a:b", KINDS, 5) == ("folder", 5, "a:b")


@pytest.mark.parametrize("data", ["", "folder", "folder:", "drawn:", "drawn:x", "other:x", "Drawn"])
def test_other_data_list_the_kinds(data):
    with pytest.raises(
        InputError, match=rf"^--data: expected 'drawn' or 'folder:PATH', got '{data}'$"
    ):
        open_data(data, KINDS, None)


@pytest.mark.parametrize(
    ("kind", "annotation", "fields"),
    [
        (CHEST, "annotation_mask", {"annotation_mask", "counterfactual", "lesion_mask"}),
        (HEARTS, None, {"heart_mask", "counterfactual", "lung_mask"}),
        (BRAIN, "lesion_mask", {"body_mask", "counterfactual", "lesion_mask"}),
        (FACES, None, {"counterfactual"}),
    ],
)
def test_worlds_are_drawn_as_asked(tmp_path, kind, annotation, fields):
    opened = open_data(kind.name, [kind], request(tmp_path, label="smiling"))
    assert len(opened.images) == 6 and opened.images.shape[:2] == (32, 32)
    assert opened.annotation == annotation and fields <= set(opened.images.arrays)
    assert opened.labels.shape == (6, len(opened.names)) and opened.people is None
    assert "drawn by a program" in opened.note
    explained = opened.names.index("smiling") if kind is FACES else 0
    np.testing.assert_array_equal(opened.labels[:, explained], opened.images.labels)


def test_published_sets_are_opened_from_their_folders(tmp_path):
    rsna = open_data(
        f"rsna:{radiology_layouts.write_rsna(tmp_path / 'rsna')}", [RSNA], request(tmp_path)
    )
    assert rsna.annotation == "annotation_mask" and rsna.names == ("opacity",)
    assert rsna.note == "RSNA pneumonia; 1 images of the third class were left out."
    msd = open_data(f"msd:{radiology_layouts.write_msd(tmp_path)}", [MSD], request(tmp_path))
    assert msd.annotation == "lesion_mask" and msd.images.patients is not None
    celeba = open_data(
        f"celeba:{face_layouts.write_celeba(tmp_path / 'celeba')}",
        [CELEBA],
        request(tmp_path, label="Smiling"),
    )
    assert celeba.labels.shape == (5, 40) and celeba.people.tolist()[:2] == [2880, 2937]
    assert celeba.groups is celeba.people and celeba.note.startswith("CelebA. Nobody is in two")
    chexpert = open_data(
        f"chexpert:{chexpert_layouts.write_chexpert(tmp_path / 'chexpert')}",
        [CHEXPERT],
        request(tmp_path, label="Edema"),
    )
    assert chexpert.labels.shape == (5, 14) and set(chexpert.people) >= {"patient00001"}
    column = chexpert.names.index("Edema")
    np.testing.assert_array_equal(chexpert.labels[:, column], chexpert.images.labels)


def test_folder_is_opened_with_its_own_classes(tmp_path):
    folder = write_folder(tmp_path / "mine", count=3)
    opened = open_data(f"folder:{folder}", [FOLDER], request(tmp_path, classes=("sad", "glad")))
    assert opened.images.class_names == ("sad", "glad") and opened.names == ("glad",)
    assert opened.images.shape == (32, 32, 1)


@pytest.mark.parametrize("kind", [CHEST, BRAIN, FACES, RSNA, MSD, CELEBA, CHEXPERT])
def test_kinds_with_classes_of_their_own_take_none(tmp_path, kind):
    data = f"{kind.name}:{tmp_path}" if kind.has_path else kind.name
    with pytest.raises(InputError, match=f"--classes: expected none with --data {data}, which has"):
        open_data(data, [kind], request(tmp_path, classes=("a", "b")))


@pytest.mark.parametrize("kind", [FACES, CELEBA, CHEXPERT])
def test_labels_that_a_kind_does_not_have_are_refused(tmp_path, kind):
    data = f"{kind.name}:{tmp_path}" if kind.has_path else kind.name
    with pytest.raises(InputError, match=r"--label: expected one of '.*', got 'Smirking'"):
        open_data(data, [kind], request(tmp_path, label="Smirking"))
