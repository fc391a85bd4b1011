"""The pieces of a page hold what readers are to see."""

import base64
import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from cfx_jax.errors import InputError
from cfx_jax.report import Claim
from cfx_jax.report.page_blocks import (
    claims_block,
    config_block,
    image_block,
    paragraphs,
    table_block,
)

RNG = np.random.default_rng(0)


def picture(path, *, frames=1, **options):
    made = [Image.fromarray(RNG.integers(0, 255, (20, 30, 3), np.uint8)) for _ in range(frames)]
    made[0].save(
        path, **({"save_all": True, "append_images": made[1:]} if frames > 1 else {}), **options
    )
    return path


def decoded(uri):
    return base64.b64decode(uri.split(",", 1)[1])


def test_text_is_split_into_paragraphs_and_lists():
    block = paragraphs("one\nline\n\n- a\n- b\n\n\n- no list\nhere\r\n\r\nend")
    assert [(p["text"], p["items"]) for p in block.data["paragraphs"]] == [
        ("one line", []),
        ("", ["a", "b"]),
        ("- no list here", []),
        ("end", []),
    ]
    assert paragraphs("").data["paragraphs"] == []


def test_image_is_embedded_byte_for_byte(tmp_path):
    path = picture(tmp_path / "a.png")
    data = image_block(path, 1, "caption", "alt").data
    assert data["source"].startswith("data:image/png;base64,")
    assert decoded(data["source"]) == path.read_bytes()
    assert data["still"] == ""


@pytest.mark.parametrize(("name", "mime"), [("a.jpg", "image/jpeg"), ("a.webp", "image/webp")])
def test_kind_is_taken_from_the_contents(tmp_path, name, mime):
    path = picture(tmp_path / name)
    assert image_block(path, 1, "", "alt").data["source"].startswith(f"data:{mime};")


def test_animation_brings_its_first_frame(tmp_path):
    path = picture(tmp_path / "a.gif", frames=3)
    data = image_block(path, 1, "", "alt", moving=True).data
    assert decoded(data["source"]) == path.read_bytes()
    with Image.open(io.BytesIO(decoded(data["still"]))) as still, Image.open(path) as moving:
        np.testing.assert_array_equal(np.asarray(still), np.asarray(moving.convert("RGB")))


def test_figure_is_shown_at_its_size_in_print_enlarged_for_screens(tmp_path):
    data = image_block(picture(tmp_path / "a.png", dpi=(192, 192)), 1, "", "alt").data
    assert (data["pixels"], data["width"], data["height"]) == (30, 20, 14)
    data = image_block(picture(tmp_path / "b.png"), 1, "", "alt").data
    assert (data["pixels"], data["width"], data["height"]) == (30, 30, 20)


def test_image_without_words_is_refused(tmp_path):
    with pytest.raises(InputError, match="needs an alternative text"):
        image_block(picture(tmp_path / "a.png"), 1, "caption", " ")


def test_missing_or_broken_or_wrong_file_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(InputError, match=r"cannot read the image '.*none\.png': No such file"):
        image_block(tmp_path / "none.png", 1, "", "alt")
    with pytest.raises(InputError, match=r"cannot read the image '.*text\.png': it is no image"):
        image_block(tmp_path / "text.png", 1, "", "alt")
    with pytest.raises(InputError, match="must be a GIF file, got PNG"):
        image_block(picture(tmp_path / "a.png"), 1, "", "alt", moving=True)
    with pytest.raises(InputError, match="must be a PNG, JPEG or WebP file, got BMP"):
        image_block(picture(tmp_path / "a.bmp"), 1, "", "alt")


def test_table_holds_formatted_cells():
    data = table_block(["a", "b"], [["x", (0.5, 0.25)]], 3, "caption", 2).data
    assert data["rows"] == [["x", "0.50 ± 0.25"]]
    assert data["right"] == [False, True]


def test_claim_holds_formatted_figures():
    claim = Claim(
        id="a",
        text="t",
        paper={"x": 0.5},
        ours={"x": (0.1, 0.2)},
        interval=(0.1, 0.0, 0.2),
        verdict="undecided",
    )
    (texts,) = claims_block([claim], 1, 2).data["claims"]
    assert texts["paper"] == [("x", "0.50")] and texts["ours"] == [("x", "0.10 ± 0.20")]
    assert texts["interval"] == "0.10 [0.00, 0.20]" and texts["verdict"] == "undecided"
    with pytest.raises(InputError, match="at least one of claims"):
        claims_block([], 1, 2)


@dataclasses.dataclass(frozen=True)
class Inner:
    radius: float = 0.2


@dataclasses.dataclass(frozen=True)
class Outer:
    seed: int = 0
    attack: Inner = dataclasses.field(default_factory=Inner)


def test_configuration_is_flattened_to_dotted_names():
    expected = [("seed", "0"), ("attack.radius", "0.2")]
    assert config_block(Outer(), "c").data["settings"] == expected
    assert config_block({"seed": 0, "attack": {"radius": 0.2}}, "c").data["settings"] == expected
    assert config_block({"empty": {}}, "c").data["settings"] == [("empty", "{}")]


@pytest.mark.parametrize("config", [3, Outer, "text"])
def test_what_is_no_configuration_is_refused(config):
    with pytest.raises(InputError, match="a configuration is a dataclass or a mapping, got"):
        config_block(config, "c")
