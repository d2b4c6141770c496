"""The language of augmentation is read, written and refused with a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import RecipeError
from striate.data.augment_language import (
    CHANGES,
    check_augment,
    make_augmentation,
    parse_policy,
    write_policy,
)
from striate.data.augmentation import Augmentation
from striate.data.mixing import Mixup
from striate.data.policy import Policy
from striate.data.value_changes import Hue
from striate.data.warp_changes import Crop


def test_names_strengths_and_shares_are_read() -> None:
    policy = parse_policy(" flip, crop=0.3 ,hue = 0.1 @ 0.5,mixup")
    assert policy == Policy(flip=True, shift=0, changes=(Crop(0.3), Hue(0.1, share=0.5), Mixup(0.2)))
    assert parse_policy("none") == Policy(flip=False, shift=0)
    assert parse_policy("erase@1").changes[0].share == 1


@given(
    chosen=st.lists(
        st.tuples(st.sampled_from(sorted(CHANGES)), st.floats(0.01, 1), st.floats(0.01, 1)),
        unique_by=lambda each: each[0],
    ),
    flip=st.booleans(),
)
def test_what_is_written_is_read_again(chosen, flip) -> None:
    changes = tuple(
        CHANGES[name](float(f"{strength * CHANGES[name].limit:.4g}"), float(f"{share:.4g}"))
        for name, strength, share in chosen
    )
    text = write_policy(changes, flip=flip)
    assert parse_policy(text) == Policy(flip=flip, shift=0, changes=changes)


def test_every_change_has_usual_numbers_and_says_what_it_does() -> None:
    for name, kind in CHANGES.items():
        assert kind() == parse_policy(name).changes[0]
        assert (kind.__doc__ or "").partition("\n")[0].endswith(".")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("flop", r"there is no change 'flop'; did you mean 'flip'\? \(there are: flip, crop, .*, none\)"),
        ("flip,,hue", "there is no change ''"),
        ("", "there is no change ''"),
        ("hue=red", "'hue=red' has 'red' where a number belongs, such as in 'crop=0.3'"),
        ("hue=", "'hue=' has '' where a number belongs"),
        ("blur=0.01@", "'blur=0.01@' has '' where a number belongs"),
        ("blur@half", "'blur@half' has 'half' where"),
        ("crop=2", r"the strength of 'crop' is 2, which is not in \(0, 0.95\]"),
        ("crop=nan", "the strength of 'crop' is nan"),
        ("erase=0.1@1.5", r"the share of 'erase' is 1.5, which is not in \(0, 1\]"),
        ("flip=0.5", "'flip=0.5' gives 'flip' a number, and it has none"),
        ("flip@0.5", "gives 'flip' a number"),
        ("crop,hue,crop=0.2", "augment 'crop,hue,crop=0.2' names 'crop' twice"),
        ("none,hue", "names 'none' among others; it stands alone"),
    ],
)
def test_what_cannot_be_read_is_refused(text, sentence) -> None:
    with pytest.raises(RecipeError, match=sentence):
        parse_policy(text)


def test_trainings_get_a_policy_only_where_there_is_more_to_do() -> None:
    plain = Augmentation(flip=True, shift=2)
    for augment in (None, "none", "flip"):
        assert make_augmentation(augment, flip=True, shift=2) == plain
    made = make_augmentation("hue", flip=True, shift=2)
    assert made == Policy(flip=True, shift=2, changes=(Hue(),))


def test_colours_of_grey_images_are_refused_before_anything_begins() -> None:
    check_augment(None, channels=1)
    check_augment("crop,trivial,brightness", channels=1)
    check_augment("hue", channels=3)
    with pytest.raises(RecipeError, match="'saturation' changes colours, which images of 1 channel do"):
        check_augment("crop,saturation,hue", channels=1)
