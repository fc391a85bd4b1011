"""``cfx train``: from a user's model and a folder of images to generators that explain by it."""

import re
import sys

import cv2
import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.explain import load_explanations, load_generator
from cfx_jax.explain.command import main as cfx
from cfx_jax.explain.model_argument import load_model
from trainers.command import main
from trainers.command.command import _decide, _parser, choose_sides

MODEL = """
import jax.numpy as jnp
from flax import nnx
from cfx_jax.models import per_image

def two():
    def classify(image):
        value = 8 * (image[:, :4].mean() - image[:, 4:].mean())
        return jnp.stack([-value, value])
    return classify

def other():
    return lambda image: 1.5 * two()(image)

def three():
    def classify(image):
        value = 8 * (image[:, :4].mean() - image[:, 4:].mean())
        above = image[:4].mean() - image[4:].mean()
        return jnp.stack([-value, value, 16 * above - 1.5])
    return classify

def network():
    head = nnx.Linear(64, 2, rngs=nnx.Rngs(0))
    return per_image(nnx.Sequential(lambda images: images.reshape(len(images), -1), head))

def one_sided():
    return lambda image: jnp.stack([5 + image.mean(), 0 * image.mean()])
"""
SHORT = (
    *("--config.filters", 2, 3, "--config.run.num-steps", 2, "--config.run.eval-batch-size", 8),
    *("--config.run.evaluate-every", 2, "--config.run.checkpoint-every", 1),
)
SMALL = {
    "similar_adversarial": (*SHORT, "--config.head-filters", 2, "--config.run.batch-size", 4),
    "syce": (*SHORT, "--config.discriminator-filters", 2, "--config.run.batch-size", 2),
    "cyce": (*SHORT, "--config.discriminator-filters", 2, "--config.run.batch-size", 2),
    "progressive": (
        *(*SHORT, "--config.discriminator-filters", 2, 3, "--config.run.batch-size", 2),
        *("--config.num-bins", 3, "--config.critic-steps", 1),
    ),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(24):
        picture = rng.integers(60, 140, size=(8, 8), dtype=np.uint8)
        picture[:, :4] += np.uint8(40 * (number % 2))
        picture[:4] += np.uint8(60 * (number % 3 == 0))
        cv2.imwrite(str(tmp_path / f"images/{number:02}.png"), picture)
    (tmp_path / "model_of_a_user.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("model_of_a_user", None)


def train(name, *arguments, model="two"):
    given = ("--model", f"model_of_a_user:{model}", "--images", "images", "--out", "work")
    return main([str(argument) for argument in (name, *given, *SMALL.get(name, ()), *arguments)])


def explain(*arguments, model="two"):
    given = ("--model", f"model_of_a_user:{model}", "--images", "images", "--methods", "gradient")
    options = (*given, "--generator", "work", *arguments)
    return cfx(["explain", *[str(argument) for argument in options]])


def slow_but_sagen(name):
    marks = [] if name == "similar_adversarial" else [pytest.mark.slow]
    return pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", [slow_but_sagen(name) for name in SMALL])
def test_a_generator_is_trained_and_explains(folder, capsys, name):
    assert train(name, "--classes", "right", "left") == 0
    assert "validation images decided left" in capsys.readouterr().out
    generator = load_generator("work")
    assert (generator.method, generator.shape) == (name, (8, 8, 1))
    assert generator.training["config"]["run"]["num_steps"] == 2
    assert explain() == 0
    answers = load_explanations("explanations")
    assert answers.classes == ("right", "left")
    assert {"gradient", name, f"{name}_map"} == set(answers.pictures)
    assert ("progressive" in answers[0].sweeps) == (name == "progressive")


@pytest.mark.parametrize("parts", [("train", "val", "test"), ("training", "testing")])
def test_images_that_a_table_holds_back_are_not_trained_on(folder, capsys, parts):
    part_of = {f"{number:02}": parts[number % len(parts)] for number in range(24)}
    lines = [f"images/{name}.png,{part}" for name, part in part_of.items()]
    (folder / "table.csv").write_text("\n".join(["path,split", *lines]))
    given = ("similar_adversarial", "--model", "model_of_a_user:two", "--images", "csv:table.csv")
    options = _parser().parse_args([*given, "--out", "work"])
    images = _decide(options, load_model("model_of_a_user:two"), batch_size=8)
    strata = images.logits.argmax(1)
    train, held_out = images.split(np.arange(24), strata, share=0.5, seed=0)
    trained, held = (
        {parts[place % len(parts)] for place in of} for of in (train, held_out["place"])
    )
    assert trained == {parts[0]} and held == {"val" if "val" in parts else parts[0]}
    assert not set(train) & set(held_out["place"])
    num_tests = list(part_of.values()).count(parts[-1])
    assert f"{num_tests} images of the part test are neither trained on" in capsys.readouterr().err
    (folder / "table.csv").write_text("path,split\nimages/00.png,fold 3\n")
    with pytest.raises(InputError, match="train among them, got fold 3: correct the table"):
        _decide(options, load_model("model_of_a_user:two"), batch_size=8)


def test_a_finished_training_is_only_read_and_another_model_is_refused(folder, capsys):
    assert train("similar_adversarial") == 0
    before = (folder / "work/generator.npz").read_bytes()
    (folder / "work/generator.json").unlink()
    assert explain() == 2
    assert "is not finished" in capsys.readouterr().err
    assert train("similar_adversarial") == 0
    assert (folder / "work/generator.npz").read_bytes() == before
    capsys.readouterr()
    assert explain("--replace", model="other") == 2
    assert "trained on the decisions of another model" in capsys.readouterr().err


@pytest.mark.slow
def test_one_class_of_three_against_the_others(folder, capsys):
    assert train("similar_adversarial", "--target", "2", model="three") == 0
    generator = load_generator("work")
    assert generator.sides == ((0, 1), (2,))
    assert generator.side_names == ("not class 2", "class 2")
    assert explain("--target", "2", model="three") == 0
    capsys.readouterr()


@pytest.mark.slow
def test_two_classes_of_three(folder, capsys):
    assert train("similar_adversarial", "--between", "1", "0", model="three") == 0
    assert load_generator("work").sides == ((1,), (0,))
    assert "images of other classes are left out" in capsys.readouterr().out


@pytest.mark.slow
def test_a_robust_sibling_is_trained_and_their_ensemble_is_explained(folder, capsys):
    short = ("--config.run.num-steps", 2, "--config.run.batch-size", 4)
    short += ("--config.run.evaluate-every", 2, "--config.attack.num-steps", 2)
    options = (*short, "--config.run.checkpoint-every", 2, "--labels", "decisions")
    assert train("trades", *options, model="network") == 0
    told = r"Accuracy of the ensemble of both on (\d+) of \1 held-out images: 1\.000"
    assert re.search(told, capsys.readouterr().out)
    given = ("--model", "model_of_a_user:network", "--images", "images", "--methods", "gradient")
    assert cfx(["explain", *given, "--sibling", "work"]) == 0
    assert len(load_explanations("explanations")) == 24
    assert train("trades", model="network") == 2
    assert "give these, or --labels decisions" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "arguments", "model", "message"),
    [
        ("syce", (), "three", "give --target CLASS, against all others, or --between A B"),
        ("syce", ("--target", "7"), "three", "target: expected one of class 0, class 1, class 2"),
        ("syce", ("--between", "1", "1"), "three", "expected two classes, got 1 twice"),
        ("syce", ("--between", "1", "0", "--target", "2"), "three", "got both"),
        ("syce", ("--config.in-channels", "3"), "two", "in_channels: expected 1, as the images"),
        ("syce", ("--classes", "a"), "two", "classes: expected 2 different names"),
        ("syce", (), "one_sided", "expected decisions for both classes on the"),
        ("syce", ("--images", "nowhere"), "two", "images: expected a file, a folder"),
        ("syce", ("--out", "model_of_a_user.py"), "two", "model_of_a_user.py"),
    ],
)
def test_mistakes_are_one_line(folder, capsys, name, arguments, model, message):
    assert train(name, *arguments, model=model) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("cfx train: ") and message in lines[-1], lines
    assert "Traceback" not in "".join(lines)


def test_help_lists_the_settings_of_the_training(capsys):
    with pytest.raises(SystemExit) as end:
        main(["cyce", "--help"])
    printed = capsys.readouterr().out
    assert end.value.code == 0
    assert "--images" in printed and "--config.run.num-steps" in printed


def test_sides():
    classes = ("a", "b", "c")
    assert choose_sides(None, None, ("no", "yes")) == ((0,), (1,))
    assert choose_sides("no", None, ("no", "yes")) == ((1,), (0,))
    assert choose_sides("b", None, classes) == ((0, 2), (1,))
    assert choose_sides(None, ("c", "0"), classes) == ((2,), (0,))
