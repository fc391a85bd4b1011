"""What experiments share about their images: options that are refused, and worlds that are drawn
once.
"""

from contextlib import nullcontext

import numpy as np
import pytest

from cfx_jax.data import SyntheticBrain
from cfx_jax.errors import InputError
from experiments.shared import (
    Workspace,
    check_no_classes,
    draw_fields,
    draw_images,
    drawing_processes,
    remaining_share,
    stored_fields,
)

OPTIONS = {"num_images": 6, "size": 32, "seed": 3}


def test_the_part_without_an_option_has_the_rest():
    assert remaining_share(validation=0.25, test=0.5) == 0.25 and remaining_share() == 1
    with pytest.raises(InputError, match=r"^--train, --test: expected a sum below 1, got 1.25$"):
        remaining_share(train=0.75, test=0.5)
    with pytest.raises(InputError, match=r"^--test: expected a sum below 1, got 1$"):
        remaining_share(test=1.0)


def test_classes_of_images_that_have_their_own_are_refused():
    check_no_classes((), "faces")
    message = r"^--classes: expected none with --data faces, which has its own: leave it out$"
    with pytest.raises(InputError, match=message):
        check_no_classes(("a", "b"), "faces")


def test_a_world_is_kept_with_the_fields_that_were_asked_for(tmp_path):
    made, workspace = [], Workspace(tmp_path)

    def world(**options):
        made.append(options)
        return SyntheticBrain(**options)

    first, again = (
        stored_fields("brain", world, OPTIONS, ("image", "label"), workspace) for _ in range(2)
    )
    assert made == [OPTIONS] and set(first) == {"image", "label"}
    np.testing.assert_array_equal(first["image"], again["image"])
    np.testing.assert_array_equal(first["image"][4], SyntheticBrain(**OPTIONS)[4]["image"])
    # Other fields of the same world are drawn anew, beside the first.
    assert set(stored_fields("brain", world, OPTIONS, ("image", "lesion_mask"), workspace)) == {
        "image",
        "lesion_mask",
    }
    assert (
        set(stored_fields("brain", world, OPTIONS, ("image", "label"), workspace))
        == {"image", "label"}
        and len(made) == 2
    )


@pytest.mark.slow
def test_many_images_of_several_worlds_are_drawn_by_the_same_processes_alike(monkeypatch):
    with drawing_processes() as processes:
        own = "experiments.shared.synthetic_images.drawing_processes"
        monkeypatch.setattr(own, lambda: nullcontext(processes))
        for seed, given in ((3, processes), (4, None)):
            options = {"num_images": 501, "size": 32, "seed": seed}
            found = draw_fields(SyntheticBrain, options, ("image", "factors"), processes=given)
            for index in (0, 250, 251, 500):
                expected = SyntheticBrain(**options)[index]
                np.testing.assert_array_equal(found["image"][index], expected["image"])
                factors = {name: values[index] for name, values in found["factors"].items()}
                assert factors == pytest.approx(expected["factors"])
        few = {"num_images": 3, "size": 32, "seed": 5}
        assert len(draw_fields(SyntheticBrain, few, ("image",), processes=processes)["image"]) == 3


def test_the_set_of_a_world_has_its_images_and_depends_on_its_options(tmp_path):
    images, arrays = draw_images(
        "brain", SyntheticBrain, OPTIONS, ("image", "label"), Workspace(tmp_path)
    )
    np.testing.assert_array_equal(images.arrays["image"], arrays["image"])
    assert images.class_names == SyntheticBrain.class_names
    assert images.identity == [["synthetic", "brain", OPTIONS], [0, 1, 2, 3, 4, 5]]
