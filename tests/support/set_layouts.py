"""All published sets as tiny ones in their layouts, and how each is opened at a small size."""

from functools import partial

import chexpert_layouts
import ct_layouts
import face_layouts
import fundus_layouts
import radiology_layouts
from PIL import Image

from cfx_jax.data import sets
from cfx_jax.data.sets.idrid import LESIONS

SIZE, SHAPE = 48, (5, 12, 10)
GRADES = {"10_left": 0, "10_right": 2, "13_left": 1, "13_right": 0, "15_left": 4, "15_right": 3}
SHOWN = {  # number of the photograph -> the kinds of lesions in it
    1: ("microaneurysms", "hard_exudates"),
    2: ("haemorrhages", "microaneurysms"),
    3: (),
    4: tuple(LESIONS),
    55: tuple(LESIONS),
}


def writer_of_photographs(black=()):
    """A function that writes another eye at each call; those named in ``black`` show none."""
    calls = iter(range(100))

    def write(path):
        number = next(calls)
        black_one = path.stem in black
        pixels = fundus_layouts.BLACK if black_one else fundus_layouts.photograph(number)
        fundus_layouts.write_image(path, pixels)

    return write


def write_mask(path):
    """A lesion near the eye's left rim, or its right one for exudates; coded as a palette, as
    IDRiD's are.
    """
    mask = Image.new("P", (fundus_layouts.WIDTH, fundus_layouts.HEIGHT))
    mask.putpalette([0, 0, 0, 255, 0, 0])
    left = 260 if path.stem.endswith(("EX", "SE")) else 100
    mask.paste(1, (left, 130, left + 20, 150))
    path.parent.mkdir(parents=True, exist_ok=True)
    mask.save(path)


def write_fundus(name, folder):
    """A small set of photographs; the third one of Kaggle's shows no eye."""
    folder.mkdir(parents=True)
    if name == "kaggle":
        write = writer_of_photographs(black=("13_left",))
        return fundus_layouts.write_kaggle(folder, GRADES, write=write)
    if name == "messidor":
        bases = {"Base11": {"a.tif": 3}, "Base12": {"b.tif": 0}}
        return fundus_layouts.write_messidor(folder, bases, writer_of_photographs())
    if name == "idrid":
        return fundus_layouts.write_idrid(folder, SHOWN, writer_of_photographs(), write_mask)
    return fundus_layouts.write_deepdrid(folder, write=writer_of_photographs())


FUNDUS = ("kaggle", "messidor", "idrid", "deepdrid")
_PLAIN = {
    "rsna": (sets.RSNAPneumonia, radiology_layouts.write_rsna),
    "msd": (sets.MSDBrainTumour, radiology_layouts.write_msd),
    "chexpert": (sets.CheXpert, chexpert_layouts.write_chexpert),
    "celeba": (sets.CelebA, face_layouts.write_celeba),
}
_SCANS = {
    "mosmed": (sets.MosMed, ct_layouts.write_mosmed),
    "ist3": (sets.IST3, ct_layouts.write_ist3),
}
WRITERS = {
    **{name: partial(write_fundus, name) for name in FUNDUS},
    **{name: write for name, (_, write) in {**_PLAIN, **_SCANS}.items()},
}
"""Name of a set -> a function that writes it into a folder."""


def open_set(name, raw, work, *, size=None, **options):
    """The set of this name; ``size`` is that of its images or volumes."""
    options = {"progress": False, **options}
    if name in FUNDUS:
        return sets.FundusSet(name, raw, work, size=size or SIZE, **options)
    if name in _SCANS:
        return _SCANS[name][0](raw, work, shape=size or SHAPE, **options)
    return _PLAIN[name][0](raw, work, size=size or SIZE, **options)
