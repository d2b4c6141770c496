"""The errors: one tree, and one sentence for a name that does not exist."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.core import errors
from striate.core.errors import StriateError, unknown_name

ALL = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, Exception)]


@pytest.mark.parametrize("error", ALL)
def test_every_error_is_caught_as_a_striate_error_and_keeps_its_sentence(error):
    with pytest.raises(StriateError, match="what was wrong"):
        raise error("what was wrong")


def test_the_docstring_draws_every_error():
    assert errors.__doc__ is not None
    assert len(ALL) >= 7
    assert [error.__name__ for error in ALL if error.__name__ not in errors.__doc__] == []


def test_a_name_near_an_option_suggests_it():
    assert "did you mean 'fashion-mnist'?" in unknown_name("set", "fashionmnist", ["mnist", "fashion-mnist"])


def test_a_name_near_nothing_lists_the_options_alone():
    assert unknown_name("model", "qqq", ["a", "b"]) == "there is no model 'qqq'; (there are: a, b)"


def test_where_there_are_no_options_none_are_listed():
    assert unknown_name("module", "mine", []) == "there is no module 'mine'"


@given(st.text(), st.lists(st.text(min_size=1), max_size=5))
def test_the_value_and_every_option_are_in_the_sentence(value, options):
    sentence = unknown_name("thing", value, options)
    assert f"'{value}'" in sentence
    assert all(option in sentence for option in options)


def test_an_iterator_of_options_is_read_once():
    assert unknown_name("model", "b", iter(["aa", "bb"])).endswith("(there are: aa, bb)")
