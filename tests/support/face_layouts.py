"""Writes a tiny set in CelebA's layout, with smooth random pictures."""

import numpy as np
from PIL import Image
from scipy import ndimage

from cfx_jax.data.sets.celeba import ATTRIBUTES

FACES = {  # name -> what is shown, part, person
    "000001.jpg": (("Smiling", "Young"), 0, 2880),
    "000002.jpg": (("Male", "Young", "5_o_Clock_Shadow"), 0, 2937),
    "000003.jpg": (("Smiling", "Male"), 1, 8692),
    "000004.jpg": ((), 2, 2880),
    "000005.jpg": (("Smiling", "Heavy_Makeup"), 0, 9152),
}


def face_pixels(name):
    """A smooth coloured picture of 218 x 178 pixels, another one for each name."""
    noise = np.random.default_rng(list(name.encode())).normal(size=(218, 178, 3))
    smooth = ndimage.gaussian_filter(noise, (12, 12, 0))
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


def write_celeba(folder, faces=FACES, *, with_people=True):
    """The tables, aligned as the published ones are, and the photographs."""
    (folder / "img_align_celeba").mkdir(parents=True, exist_ok=True)
    attributes = [f"{len(faces)}", " ".join(ATTRIBUTES) + " "]
    for name, (shown, _, _) in faces.items():
        attributes.append(
            name + " " + " ".join(f"{1 if each in shown else -1:2d}" for each in ATTRIBUTES)
        )
        Image.fromarray(face_pixels(name)).save(
            folder / "img_align_celeba" / name, "JPEG", quality=95
        )
    (folder / "list_attr_celeba.txt").write_text("\n".join([*attributes, ""]))
    (folder / "list_eval_partition.txt").write_text(
        "".join(f"{name} {part}\n" for name, (_, part, _) in faces.items())
    )
    if with_people:
        people = "".join(f"{name} {person}\n" for name, (_, _, person) in faces.items())
        (folder / "identity_CelebA.txt").write_text(people)
    return folder
