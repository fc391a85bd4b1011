"""Writes a tiny set in CheXpert's layout, with smooth random pictures."""

from PIL import Image
from radiology_layouts import chest_pixels

from cfx_jax.data.sets.chexpert import FINDINGS

HEADER = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDINGS)
# path below the part's folder -> what its row says of some findings; the others are not mentioned
TRAIN = {
    "patient00001/study1/view1_frontal.jpg": {"No Finding": "1.0", "Support Devices": "1.0"},
    "patient00002/study2/view1_frontal.jpg": {
        "Cardiomegaly": "-1.0",
        "Edema": "-1.0",
        "Fracture": "1.0",
    },
    "patient00002/study1/view1_frontal.jpg": {"Cardiomegaly": "1.0", "Edema": "-1.0"},
    "patient00002/study1/view2_lateral.jpg": {"Cardiomegaly": "1.0", "Edema": "-1.0"},
    "patient00003/study1/view1_frontal.jpg": {"Cardiomegaly": "0.0", "Lung Opacity": "1.0"},
}
VALID = {
    "patient64541/study1/view1_frontal.jpg": {finding: "0.0" for finding in FINDINGS}
    | {"Cardiomegaly": "1.0"}
}


def radiograph_pixels(path):
    """A smooth picture of 64 rows and 96 columns, another one for each path."""
    return chest_pixels(path, 96)[:64]


def write_chexpert(folder, train=TRAIN, valid=VALID, *, published="CheXpert-v1.0-small"):
    """The tables and the radiographs."""
    for part, rows in (("train", train), ("valid", valid)):
        if rows is None:
            continue
        lines = [",".join(HEADER)]
        for path, findings in rows.items():
            view, projection = ("Lateral", "") if "lateral" in path else ("Frontal", "AP")
            values = [findings.get(finding, "") for finding in FINDINGS]
            lines.append(
                ",".join([f"{published}/{part}/{path}", "Female", "68", view, projection, *values])
            )
            image = folder / part / path
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(radiograph_pixels(path)).save(image, "JPEG", quality=95)
        (folder / f"{part}.csv").write_text("\n".join([*lines, ""]))
    return folder
