import pytest

from cfx_jax.data.sources.class_choice import choose_classes
from cfx_jax.errors import InputError

KNOWN = ("ant", "bee", "a+b", "c=d")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([], [("ant", ("ant",)), ("bee", ("bee",)), ("a+b", ("a+b",)), ("c=d", ("c=d",))]),
        (["bee", "ant"], [("bee", ("bee",)), ("ant", ("ant",))]),
        (["ant=insect", "bee"], [("insect", ("ant",)), ("bee", ("bee",))]),
        (["ant+bee=insect", "a+b"], [("insect", ("ant", "bee")), ("a+b", ("a+b",))]),
        (["ant+bee"], [("ant+bee", ("ant", "bee"))]),
        (["a+b=x", "c=d"], [("x", ("a+b",)), ("c=d", ("c=d",))]),
    ],
)
def test_classes_are_chosen_renamed_merged_and_ordered(wanted, expected):
    assert [tuple(choice) for choice in choose_classes(wanted, KNOWN)] == expected


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["ant", "dog=x"], "expected labels out of ant, bee, .* got 'dog'"),
        (["ant", "ant+bee=x"], "expected each label once, got 'ant' twice"),
        (["ant=x", "bee=x"], r"'x' twice: merge labels as LABEL\+LABEL=x"),
    ],
)
def test_wrong_classes_are_explained(wanted, message):
    with pytest.raises(InputError, match=message):
        choose_classes(wanted, KNOWN)


def test_a_model_may_have_classes_of_which_there_are_no_images():
    names = [choice.name for choice in choose_classes(["cat", "ant"], KNOWN, all_known=False)]
    assert names == ["cat", "ant"]
    with pytest.raises(InputError, match="expected labels out of"):
        choose_classes(["cat", "dog"], KNOWN, all_known=False)
