"""CelebA (Liu et al. 2015): 202,599 photographs of 10,177 celebrities, each with 40 attributes.

The folder holds the aligned photographs, of 218 x 178 pixels, and the tables:

    img_align_celeba/000001.jpg
    list_attr_celeba.txt        the number of photographs; the 40 names
                                then 000001.jpg and forty times -1 or 1
    list_eval_partition.txt     000001.jpg 0; 0 stands for training, 1 for validation, 2 for test
    identity_CelebA.txt         000001.jpg 2880; who it is. It may be left out

A photograph is cropped to the middle 150 x 150 pixels, as Singla et al. (2020) do.

Deviation from the released code of Singla et al. (2020), which resizes linearly: what shrinks, to
less than 150 pixels, is averaged over areas.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from cfx_jax.checks import check_choice
from cfx_jax.data.sets.stored.listing import check_files
from cfx_jax.data.sets.stored.pictures import png, read_picture
from cfx_jax.data.sets.stored.spec import Example, Kind, SetSpec
from cfx_jax.data.sets.stored.stored_set import StoredSet
from cfx_jax.data.sources.resizing import resize
from cfx_jax.data.user_files import damage, is_regular, read_file
from cfx_jax.errors import InputError

PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
ATTRIBUTES = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)
PARTS = ("train", "validation", "test")
HEIGHT, WIDTH, CROP = 218, 178, 150
_MOST_DIGITS = 9
_TOP, _LEFT = (HEIGHT - CROP) // 2, (WIDTH - CROP) // 2


class FaceRecord(NamedTuple):
    """One photograph of the set.

    Attributes:
        name: the file's name, "000001.jpg".
        image: the JPEG file.
        attributes: for each of ``ATTRIBUTES`` the letter 1 or 0.
        part: "train", "validation" or "test".
        person: the number of who it is, None where the table of identities was left out.
    """

    name: str
    image: Path
    attributes: str
    part: str
    person: int | None = None

    def content(self) -> object:
        """All that is said of the photograph, except where its file lies."""
        return self.name, self.attributes, self.part, self.person


class CelebA(StoredSet):
    """The photographs of CelebA, with and without one of its 40 attributes.

    Items are dicts of

    - ``image`` float32 (size, size, 3) in [0, 1], the middle of the photograph, see ``crop_face``;
    - ``label`` int, 1 with the attribute;
    - ``attributes`` int (40,), all of them;
    - ``name`` str.

    What is stored is the same whatever the attribute.

    The authors' parts are ``np.flatnonzero(source.parts == "train")`` and so on; nobody is in two
    of them. Other splits should keep people apart: ``data.split(source.labels, {"train": 0.8,
    "test": 0.2}, seed=0, groups=source.people)``.

    Args:
        raw_folder, work_folder, size, progress: see ``StoredSet``; raw files as ``read_celeba``.
        attribute: the one that the label names, out of ``celeba.ATTRIBUTES``.

    Attributes:
        class_names: e.g. ("not smiling", "smiling").
        labels: the label of each item.
        attributes: the attributes of each item, int64 (n, 40), in the order of ``attribute_names``.
        attribute_names: ``celeba.ATTRIBUTES``.
        names, parts: the name and part of each item; the parts are "train", "validation" and
            "test".
        people: the number of who it is, of each item; None where the set was built without the
            table of identities.
        identity: see ``StoredSet``, which lists the errors too.
    """

    attribute_names = ATTRIBUTES

    def __init__(
        self,
        raw_folder: str | Path | None,
        work_folder: str | Path,
        *,
        attribute: str = "Smiling",
        size: int = 128,
        progress: bool = True,
    ) -> None:
        check_choice(attribute, ATTRIBUTES, name="attribute")
        super().__init__(SPEC, raw_folder, work_folder, size=size, progress=progress)
        self._add_to_identity(attribute)
        words = attribute.lower().replace("_", " ")
        self.class_names = (f"not {words}", words)
        letters = self._facts("attributes").astype(f"U{len(ATTRIBUTES)}").view("U1")
        self.attributes = (letters.reshape(-1, len(ATTRIBUTES)) == "1").astype(np.int64)
        self.labels = self.attributes[:, ATTRIBUTES.index(attribute)]
        self.names, self.parts = self._facts("name"), self._facts("part")
        people = self._facts("person")
        self.people = None if people.dtype == object else people

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {
            **super().__getitem__(index),
            "label": int(self.labels[index]),
            "attributes": self.attributes[index],
        }


def read_celeba(folder: str | Path) -> list[FaceRecord]:
    """Lists the photographs of CelebA; none is opened.

    Args:
        folder: holds ``img_align_celeba`` and the tables, see above.

    Returns:
        The photographs in the order of the table of attributes.

    Raises:
        InputError: a table or a photograph is missing, or a table cannot be understood or is cut
            short.
    """
    folder = Path(folder)
    attributes = _attributes(folder / "list_attr_celeba.txt")
    table, identities = folder / "list_eval_partition.txt", folder / "identity_CelebA.txt"
    numbers = _numbers(table, attributes)
    people = _numbers(identities, attributes) if identities.exists() else {}
    records = []
    for name, letters in attributes.items():
        part = _part(numbers[name], name, table)
        image = folder / "img_align_celeba" / name
        records.append(FaceRecord(name, image, letters, part, people.get(name)))
    check_files([record.image for record in records], folder, what="photograph")
    return records


def crop_face(
    photograph: Shaped[np.ndarray, "218 178 *c"], *, name: str = "photograph"
) -> Shaped[np.ndarray, "150 150 *c"]:
    """The middle of an aligned photograph: rows 34 to 183 and columns 14 to 163, counted from 0.

    Args:
        photograph: the pixels.
        name: the argument's name in messages.

    Returns:
        A view of the pixels.

    Raises:
        InputError: the photograph has another size.

    Example:
        >>> crop_face(np.zeros((218, 178, 3), np.uint8)).shape
        (150, 150, 3)
    """
    if photograph.shape[:2] != (HEIGHT, WIDTH):
        size = " x ".join(map(str, photograph.shape[:2]))
        raise InputError(
            f"{name}: expected an aligned photograph of {HEIGHT} x {WIDTH} pixels, got {size}: take"
            " those of img_align_celeba, not those in the wild"
        )
    return photograph[_TOP : _TOP + CROP, _LEFT : _LEFT + CROP]


def _attributes(table: Path) -> dict[str, str]:
    """The letters of each photograph's attributes, by its name."""
    rows = _rows(table)
    if len(rows) < 2 or len(rows[0]) != 1 or tuple(rows[1]) != ATTRIBUTES:
        raise InputError(
            f"'{table}': expected the number of photographs and then the {len(ATTRIBUTES)} names"
            f" {ATTRIBUTES[0]} to {ATTRIBUTES[-1]}, got other lines: download it from {PAGE}"
        )
    letters = {}
    for name, *values in rows[2:]:
        if len(values) != len(ATTRIBUTES) or not {"-1", "1"}.issuperset(values):
            raise InputError(
                f"'{table}': expected {len(ATTRIBUTES)} values of -1 or 1 for '{name}', got"
                f" {' '.join(values)}: correct the row"
            )
        letters[name] = "".join("1" if value == "1" else "0" for value in values)
    if rows[0] != [str(len(letters))]:
        raise InputError(
            f"'{table}': expected {rows[0][0]} photographs, as its first line says, got"
            f" {len(letters)}: download it again, or correct the line"
        )
    return letters


def _numbers(table: Path, names: Iterable[str]) -> dict[str, int]:
    """The number of each photograph in a table of two columns, by its name."""
    numbers = {}
    for row in _rows(table):
        if len(row) != 2 or not row[1].isdecimal() or len(row[1]) > _MOST_DIGITS:
            raise InputError(
                f"'{table}': expected a file's name and a number, got '{' '.join(row)}': correct"
                " the row"
            )
        numbers[row[0]] = int(row[1])
    missing = [name for name in names if name not in numbers]
    if missing:
        raise InputError(
            f"'{table}': expected a row for each photograph, {len(missing)} are missing, the first"
            f" is '{missing[0]}': download it from {PAGE}"
        )
    return numbers


def _part(number: int, name: str, table: Path) -> str:
    """The part that a number stands for."""
    if number >= len(PARTS):
        raise InputError(
            f"'{table}': expected 0, 1 or 2 for '{name}', got {number}: correct the row"
        )
    return PARTS[number]


def _rows(table: Path) -> list[list[str]]:
    """The words of each line that is not empty."""
    if not is_regular(table):
        raise InputError(
            f"expected a table in '{table}', which does not exist: download it from {PAGE}"
        )
    with damage(
        lambda reason: InputError(f"'{table}' is no text file ({reason}): download it from {PAGE}")
    ):
        lines = read_file(table).decode().splitlines()
    return [line.split() for line in lines if line.strip()]


def _examples(record: FaceRecord, size: int) -> list[Example]:
    photograph = read_picture(record.image, channels=3, page=PAGE)
    face = resize(crop_face(photograph, name=f"'{record.image}'"), (size, size))
    facts = record._asdict()
    del facts["image"]
    return [Example(record.name, {"image": png(face), "name": record.name}, facts)]


# TFDS has a builder of its own, ``celeb_a``, which downloads the set and keeps whole photographs.
SPEC = SetSpec(
    name="celeba",
    stored_name="celeba_faces",
    page=PAGE,
    entries="photographs",
    read=read_celeba,
    features={"image": Kind.COLOUR, "name": Kind.TEXT},
    examples=_examples,
)
