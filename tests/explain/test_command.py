import html
import sys

import cv2
import jax
import numpy as np
import pytest

from cfx_jax.adapters import Inputs
from cfx_jax.data import open_images
from cfx_jax.explain import load_explanations
from cfx_jax.explain.command import main
from cfx_jax.explain.model_argument import load_model
from cfx_jax.explain.wording import in_options

MODEL = """
import jax.numpy as jnp

def classifier():
    def classify(image):
        value = 8 * (image[:4].mean() - image[4:].mean())
        return jnp.stack([-value, value])
    return classify

def number():
    return 3

def needs(argument):
    return argument

def network():
    from flax import nnx
    from cfx_jax.models import ResNet
    sizes = dict(stage_sizes=(1, 1), widths=(4, 6), stem="patch", block="basic")
    return ResNet(**sizes, num_classes=2, rngs=nnx.Rngs(0))

def adapted():
    from cfx_jax.adapters import from_nnx
    return from_nnx(network())

def linear():
    from flax import nnx
    return nnx.Sequential(lambda x: x.mean((1, 2)), nnx.Linear(3, 2, rngs=nnx.Rngs(0)))

def uncalled():
    return type(network())

def raises():
    raise RuntimeError("first line")
"""

PRECISE = """
import jax
import jax.numpy as jnp

SEEN = []

def classifier():
    def classify(image):
        SEEN.append(jax.config.jax_default_matmul_precision)
        return image.reshape(-1)[:4] @ jnp.eye(4, 2)
    return classify
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    (tmp_path / "images/a").mkdir(parents=True)
    for name in ("a/1.png", "2.png", "3.jpg"):
        picture = rng.integers(60, 200, size=(8, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "images" / name), picture)
    (tmp_path / "images/damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "own_model.py").write_text(MODEL)
    (tmp_path / "wrong_model.py").write_text("def f(:")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("own_model", None)


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def run(*arguments):
    return main([str(argument) for argument in arguments])


NETWORK = ("--model", "own_model:network", "--size", "32", "32")
EXPLAIN = ("explain", "--model", "own_model:classifier", "--num-steps", "4")


def test_a_target_is_a_name_before_it_is_a_number(folder):
    options = ("--images", "images", "--methods", "gradient", "--classes", "1", "0")
    assert run(*EXPLAIN, *options, "--out", "out", "--target", "1") == 0
    np.testing.assert_array_equal(load_explanations("out").targets, 0)


def test_a_function_is_named_by_the_path_of_its_file_too(folder):
    (folder / "below").mkdir()
    (folder / "own_model.py").rename(folder / "below/own_model.py")
    image = np.random.default_rng(1).uniform(size=(8, 8, 3)).astype(np.float32)
    value = 8 * (image[:4].mean() - image[4:].mean())
    found = load_model("below/own_model.py:classifier")(image)
    np.testing.assert_allclose(found, [-value, value], rtol=1e-4)


def test_a_network_of_ours_takes_weights_of_pytorch(folder):
    torch = pytest.importorskip("torch", reason="the extra 'parity' is not installed")
    from benchmarks.torch_resnet import twin

    network = twin("resnet_small")
    torch.save(network.state_dict(), "weights.pth")
    image = np.random.default_rng(1).uniform(size=(32, 32, 3)).astype(np.float32)
    facts = {"mean": [0.4, 0.5, 0.6], "value_range": [0, 2]}
    given = torch.tensor((2 * image - facts["mean"]).transpose(2, 0, 1)[None]).float()
    model = load_model("resnet_small:weights.pth", settings=facts)
    expected = network(given)[0].detach()
    np.testing.assert_allclose(model(image), expected, atol=1e-4)


def test_the_layout_of_a_function_s_model_is_that_of_its_framework(folder):
    facts = {"mean": [0.5], "std": [0.25], "value_range": [0.0, 255.0]}
    model = load_model("own_model:network", settings=facts)
    assert model.inputs == Inputs(mean=(0.5,), std=(0.25,), value_range=(0, 255))


@pytest.mark.parametrize(
    ("options", "setting", "precision"),
    [
        ((), None, "high"),
        ((), "highest", "highest"),
        (("--matmul-precision", "highest"), None, "highest"),
        (("--matmul-precision", "default"), "highest", None),
    ],
)
def test_the_precision_of_products_reaches_the_model(folder, options, setting, precision):
    """The model is traced anew for each, and sees the precision that its products take."""
    (folder / "own_model.py").write_text(PRECISE)
    arguments = ("--images", "images/2.png", "--methods", "gradient", "--out", "out")
    with jax.default_matmul_precision(setting):
        assert run(*EXPLAIN, *arguments, *options) == 0
    assert set(sys.modules["own_model"].SEEN) == {precision}


def test_one_command_from_a_model_and_a_folder_to_a_page(folder, capsys):
    options = ("--images", "images", "--out", "out", "--classes", "low", "high")
    assert run(*EXPLAIN, *options, "--target", "high") == 0
    printed = capsys.readouterr()
    assert "damaged.png: cannot be decoded" in printed.err or "cut short" in printed.err
    assert "page.html" in printed.out
    answers = load_explanations("out")
    assert answers.names == ("2.png", "3.jpg", "a/1.png")
    np.testing.assert_array_equal(answers.targets, 1)
    (folder / "out/page.html").unlink()
    assert run("report", "out") == 0
    assert (folder / "out/page.html").exists()


def test_explanations_are_replaced_on_demand_only(folder, capsys):
    options = ("--images", "images", "--out", "out", "--methods", "gradient")
    assert run(*EXPLAIN, *options) == 0
    before = contents(folder / "out")
    assert run(*EXPLAIN, *options, "--size", 6, 6) == 2
    told = capsys.readouterr().err
    assert "the shape of the images ((8, 8, 3) there, (6, 6, 3) now)" in told
    assert "give --replace" in told
    assert contents(folder / "out") == before
    assert run(*EXPLAIN, *options, "--size", 6, 6, "--replace") == 0
    assert load_explanations("out").images.shape[1:3] == (6, 6)


def test_the_same_command_goes_on_and_computes_nothing_twice(folder, capsys):
    options = ("--images", "images", "--out", "out", "--methods", "gradient")
    assert run(*EXPLAIN, *options) == 0
    before = contents(folder / "out/images")
    assert len(before) == 3
    changed = {path: path.stat().st_mtime_ns for path in (folder / "out/images").rglob("*.npz")}
    assert run(*EXPLAIN, *options) == 0
    assert {path: path.stat().st_mtime_ns for path in changed} == changed
    next(iter(changed)).unlink()
    assert run(*EXPLAIN, *options) == 0
    assert contents(folder / "out/images") == before
    assert run(*EXPLAIN, *options, "--seed", "3") == 2
    assert "they differ in the seed" in capsys.readouterr().err


def test_shards_fill_one_folder(folder, capsys):
    options = ("--images", "images", "--methods", "gradient", "--batch-size", "1")
    assert run(*EXPLAIN, *options, "--out", "alone") == 0
    for part in ("2/2", "1/2"):
        assert not (folder / "shared/page.html").exists()
        assert run(*EXPLAIN, *options, "--out", "shared", "--shard", part) == 0
        assert ("cfx report shared" in capsys.readouterr().out) == (part == "2/2")
    assert contents(folder / "shared/images") == contents(folder / "alone/images")
    assert (folder / "shared/page.html").exists()
    table = (folder / "shared/table.csv").read_text()
    assert table == (folder / "alone/table.csv").read_text() and table.count("\n") == 4


def test_a_folder_that_cannot_be_written_is_told_before_the_model_is_loaded(folder, capsys):
    options = ("--images", "images", "--out", "own_model.py/below")
    assert run("explain", "--model", "own_model:raises", *options) == 2
    assert "expected a folder to write to" in capsys.readouterr().err


def test_names_of_files_that_are_no_text(folder):
    picture = (folder / "images/2.png").read_bytes()
    with open(b"images/\xff\n.png", "wb") as file:
        file.write(picture)
    assert run(*EXPLAIN, "--images", "images", "--methods", "gradient") == 0
    assert len(load_explanations("explanations").names) == 4


def test_grey_images_of_one_size(folder):
    options = ("--images", "images/2.png", "images/a", "--size", 6, 4, "--channels", 1)
    assert run(*EXPLAIN, *options, "--methods", "gradient") == 0
    assert load_explanations("explanations").images.shape == (2, 6, 4, 1)


@pytest.mark.parametrize("function", ["network", "adapted", "classifier"])
def test_grey_images_stay_grey_in_a_model_of_three_channels(folder, function):
    """The values are those of the same image stored in colour."""
    picture = np.random.default_rng(2).integers(60, 200, (32, 32), np.uint8)
    cv2.imwrite("grey.png", picture)
    options = ("--channels", 3, "--images", "grey.png", "--methods", "vce", "--num-steps", 2)
    assert run("explain", "--model", f"own_model:{function}", *options) == 0
    answers = load_explanations("explanations")
    assert answers.pictures["vce"].shape == (1, 32, 32, 1)
    values = np.repeat(picture[..., None] / np.float32(255), 3, axis=2)
    logits = load_model(f"own_model:{function}")(values)
    np.testing.assert_allclose(answers.logits[0], logits, atol=1e-4)


def test_colour_images_are_explained_in_grey_on_demand(folder):
    options = ("--grey", "--channels", 3, "--images", "images/2.png", "--size", 32, 32)
    assert run("explain", "--model", "own_model:network", *options, "--methods", "gradient") == 0
    assert load_explanations("explanations").images.shape == (1, 32, 32, 1)


def test_a_check_finds_nothing_in_a_sound_model(folder, capsys):
    assert run("check", "--model", "own_model:classifier", "--images", "images") == 0
    assert "Nothing is wrong" in capsys.readouterr().out


SATURATED = """
import jax.numpy as jnp

def classifier():
    return lambda image: 1e4 * jnp.stack([image[:4].mean() + 1, image[4:].mean()])
"""


def test_what_may_be_wrong_is_told_on_the_terminal_and_on_the_page(folder, capsys):
    (folder / "own_model.py").write_text(SATURATED)
    options = ("--images", "images", "--out", "out", "--methods", "gradient")
    assert run(*EXPLAIN, *options) == 0
    warned = capsys.readouterr().err.splitlines()
    assert run("report", "out") == 0
    reported = capsys.readouterr().err.splitlines()
    page = html.unescape((folder / "out/page.html").read_text())
    lines = list(map(in_options, load_explanations("out").warnings))
    assert lines
    for line in lines:
        assert warned.count(f"warning: {line}") == reported.count(f"warning: {line}") == 1
        assert line in page


def test_a_check_tells_what_the_model_is_given_and_what_it_decides(folder, capsys):
    facts = ("--mean", "0.5", "--std", "0.25", "--classes", "low", "high")
    assert run("check", *NETWORK, "--images", "images/2.png", *facts) == 0
    printed = capsys.readouterr().out
    (image,) = open_images("images/2.png", size=(32, 32))
    given = (image["image"] - 0.5) / 0.25
    span = f"from {given.min():.3g} to {given.max():.3g}"
    assert f"is given images (1, 32, 32, 3), here with values {span}." in printed
    model = load_model("own_model:network", settings={"mean": 0.5, "std": 0.25})
    probabilities = jax.nn.softmax(model(image["image"]))
    decided = ("low", "high")[probabilities.argmax()]
    assert f"2.png: {decided} with {probabilities.max():.3f}" in printed


def test_layers_are_listed_and_one_is_shown(folder, capsys):
    options = ("--model", "own_model:network", "--images", "images", "--size", 32, 32)
    assert run("layers", *options) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "stages.0.0: 8x8x4 (feature maps)" in printed and "head: 2" in printed
    default = "(feature maps; class activation maps read these by default)"
    assert f"stages.1.0: 4x4x6 {default}" in printed
    assert run("explain", *options, "--methods", "grad_cam", "--layer", "stages.0.0") == 0
    assert load_explanations("explanations").settings.layer == "stages.0.0"
    assert run("layers", "--model", "own_model:classifier", "--images", "images") == 2
    assert "whose layers have names, got function" in capsys.readouterr().err


def test_methods_are_listed_with_their_price(capsys):
    assert run("methods") == 0
    assert "integrated_gradients (map, about 50 gradients an image)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--methods", "grad_cam"), "--layer: expected a model whose layers have names"),
        (
            ("--methods", "occlusion", "--occlusion-window", "9"),
            "--occlusion-window: expected at most 8 pixels",
        ),
        (("--model", "own_model:none"), "expected a function none in own_model"),
        (("--model", "no_module:classifier"), "expected a module that can be imported"),
        (("--model", "own_model:number"), "to return a classifier, got int"),
        (("--model", "own_model:uncalled"), "to return a classifier, got the class ResNet"),
        (("--model", "own_model:needs"), "expected a function without arguments"),
        (("--model", "own_model:raises"), "raised RuntimeError: first line (own_model.py, line"),
        (("--model", "resnet50"), "got resnet50: give its weights too, as in resnet50:weights.pth"),
        (("--model", "resnet50:none.pth"), "expected a file of weights, got none.pth, which does"),
        (("--model", ":"), "expected module:function"),
        (("--model", "..own_model:classifier"), "expected module:function"),
        (("--model", "wrong_model:f"), "expected wrong_model to run, but it raised SyntaxError"),
        (("--size", "0", "5"), "of 1 to 16384 pixels, got (0, 5)"),
        (("--size", "1000000", "1000000"), "size: expected a side or"),
        (("--seed", str(2**80)), "seed: expected a number from 0"),
        (("--shard", "3/2"), "shard: expected a number from 1 to 2, got 3"),
        (("--radii", "0.5", "0.25"), "radii: expected shares that increase"),
        (("--probability", "2"), "probability: expected a value between 0 and 1"),
        (("--model", "model.onnx"), "write a function that returns onnx2torch.convert(...) of it"),
        (("--model", "model.safetensors"), "got model.safetensors: it holds weights alone: write"),
        (("--model", "own_model.py"), "got own_model.py: write a function that returns it, and"),
        (("--model", "images"), "got images: write a function that returns it, and name that"),
        (("--model", "own_model:network", "--channel-order", "bgr", "--mean", "1", "2"), "--mean"),
        (("--model", "own_model:classifier", "--mean", "0.5"), "no settings of inputs"),
        (
            ("--model", "own_model:network", "--mean", "0.1", "0.2"),
            "--mean: expected one number or 3, one per channel, got 2",
        ),
        (
            ("--model", "own_model:linear", "--layout", "channels_first"),
            "give --layout, --channels, --size",
        ),
        (("--model", "own_model:network", "--label", "2"), "--label: expected below 2, got 2"),
        (("--norm", "0.5"), "--norm: expected"),
        (
            ("--layer", "head", "--methods", "grad_cam", *NETWORK),
            "got 'head' with (2,): take one of",
        ),
        (("--layer", "none", "--methods", "grad_cam", *NETWORK), "--layer: expected the name of a"),
        (("--images", "nowhere"), "images: expected a file, a folder or a zip, found none"),
        (
            ("--images", "own_model.py"),
            "images: expected PNG, JPEG, TIFF, BMP, WebP, DICOM or NIfTI files, found 1 .py files",
        ),
        (("--target", "high"), "--target: expected one of 'class 0'"),
        (("--methods", "lime"), "methods: expected one of"),
        (("--radius", "0"), "radius"),
        (("--out", "own_model.py"), "own_model.py"),
    ],
)
def test_mistakes_are_one_line(folder, capsys, options, message):
    given = ("--model", "own_model:classifier", "--images", "images", "--methods", "gradient")
    assert run("explain", *given, *options) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("cfx: ")]
    assert len(lines) == 1 and message in lines[0], lines
    assert not any(word in lines[0] for word in ("Inputs(", "Outputs(", "from_torch")), lines


def test_pictures_of_several_sizes_need_a_size(folder, capsys):
    cv2.imwrite("images/4.png", np.zeros((5, 8, 3), np.uint8))
    assert run(*EXPLAIN, "--images", "images") == 2
    assert "give a size" in capsys.readouterr().err
