import numpy as np
import pytest

from cfx_jax.data.worlds.face import ATTRIBUTES, CLASS_NAMES, INDEPENDENT, sample_attributes

NUMBER = 1500


def sampled(attribute, label, **options):
    """The attributes of many faces, (n, 7), and the same with one of them turned."""
    pairs = [
        sample_attributes(np.random.default_rng(i), attribute, label, **options)
        for i in range(NUMBER)
    ]
    return np.array(pairs).transpose(1, 0, 2)


def column(values, name):
    return values[:, ATTRIBUTES.index(name)]


def test_every_attribute_has_two_class_names():
    assert tuple(CLASS_NAMES) == ATTRIBUTES and all(
        len(names) == 2 for names in CLASS_NAMES.values()
    )


def test_attributes_occur_at_their_stated_rates():
    own, _ = sampled("smiling", 1)
    rates = {"young": 0.6, "male": 0.5, "black_hair": 0.35, "bangs": 0.25}
    for name, rate in rates.items():
        assert column(own, name).mean() == pytest.approx(rate, abs=0.04)
    male = column(own, "male") == 1
    assert column(own, "no_beard")[male].mean() == pytest.approx(0.55, abs=0.04)
    assert column(own, "heavy_makeup")[~male].mean() == pytest.approx(0.55, abs=0.04)


def test_only_men_have_a_beard_and_only_women_heavy_makeup():
    for attribute in INDEPENDENT:
        own, _ = sampled(attribute, 1)
        male = column(own, "male") == 1
        assert column(own, "no_beard")[~male].all() and not column(own, "heavy_makeup")[male].any()


def test_independent_attributes_do_not_tell_each_other():
    own, _ = sampled("smiling", 0)
    names = [ATTRIBUTES.index(name) for name in ("young", "male", "black_hair", "bangs")]
    correlation = np.corrcoef(own[:, names].T) - np.eye(len(names))
    assert np.abs(correlation).max() < 4 / np.sqrt(NUMBER)


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("label", [0, 1])
def test_label_is_the_attribute_and_its_opposite_that_of_the_turned_face(attribute, label):
    own, turned = sampled(attribute, label)
    assert (column(own, attribute) == label).all() and (
        column(turned, attribute) == 1 - label
    ).all()
    if attribute != "male":
        assert ((own != turned).sum(1) == 1).all()


@pytest.mark.parametrize("attribute", [*INDEPENDENT, "male"])
def test_turned_face_is_the_one_drawn_with_the_other_label(attribute):
    without, with_it = sampled(attribute, 0), sampled(attribute, 1)
    np.testing.assert_array_equal(without, with_it[::-1])


def test_turning_gender_brings_or_takes_beard_and_makeup_with_it():
    women, men = sampled("male", 0)
    assert column(women, "no_beard").all() and not column(men, "heavy_makeup").any()
    assert column(men, "no_beard").mean() == pytest.approx(0.55, abs=0.04)
    assert column(women, "heavy_makeup").mean() == pytest.approx(0.55, abs=0.04)
    for name in INDEPENDENT:
        np.testing.assert_array_equal(column(women, name), column(men, name))


@pytest.mark.parametrize(
    ("attribute", "label", "share_of_men"),
    [
        ("no_beard", 0, 1.0),
        ("no_beard", 1, 0.5 * 0.55 / (0.5 * 0.55 + 0.5)),
        ("heavy_makeup", 1, 0.0),
        ("heavy_makeup", 0, 0.5 / (0.5 + 0.5 * 0.45)),
    ],
)
def test_gender_follows_by_bayes_rule_from_what_it_rules(attribute, label, share_of_men):
    own, _ = sampled(attribute, label)
    assert column(own, "male").mean() == pytest.approx(share_of_men, abs=0.04)


@pytest.mark.parametrize(("strength", "share_of_men"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_confounder_binds_gender_to_the_attribute_where_it_is_present(strength, share_of_men):
    smiling, turned = sampled("smiling", 1, confounder=strength)
    serious, _ = sampled("smiling", 0, confounder=strength)
    assert column(smiling, "male").mean() == pytest.approx(share_of_men, abs=0.04)
    assert column(serious, "male").mean() == pytest.approx(0.5, abs=0.04)
    np.testing.assert_array_equal(column(smiling, "male"), column(turned, "male"))
