"""Goals are met by answers, never by logits that are NaN, and stay with their images."""

from __future__ import annotations

import pytest
import torch

from striate.attack.goals import Targeted, Untargeted
from striate.core.errors import AttackError

LOGITS = torch.tensor([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0], [0.0, 1.0, 4.0]])
LABELS = torch.tensor([0, 0, 2])


def test_any_wrong_class_meets_an_untargeted_goal() -> None:
    assert Untargeted().is_met(LOGITS, LABELS).tolist() == [True, False, False]


def test_only_the_target_meets_a_targeted_goal() -> None:
    assert Targeted(2).is_met(LOGITS, LABELS).tolist() == [False, False, True]
    assert Targeted(torch.tensor([1, 1, 1])).is_met(LOGITS, LABELS).tolist() == [True, False, False]


@pytest.mark.parametrize("goal", [Untargeted(), Targeted(0), Targeted(1), Targeted(2)])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_logit_that_is_nan_meets_no_goal(goal, place) -> None:
    broken = LOGITS.clone()
    broken[:, place] = torch.nan
    assert not goal.is_met(broken, LABELS).any()


def test_infinite_logits_answer() -> None:
    assert Untargeted().is_met(torch.tensor([[0.0, torch.inf]]), torch.tensor([0])).tolist() == [True]


def test_targets_stay_with_their_images() -> None:
    goal = Targeted(torch.tensor([1, 0, 2]))
    assert goal.rows(torch.tensor([2, 0])).classes(LABELS[[2, 0]]).tolist() == [2, 1]
    assert goal.rows(torch.tensor([True, False, True])).classes(LABELS[[0, 2]]).tolist() == [1, 2]
    assert Targeted(1).rows(torch.tensor([2])).classes(LABELS[:1]).tolist() == [1]
    assert Untargeted().rows(torch.tensor([2])).classes(LABELS[2:]).tolist() == [2]


def test_targets_and_images_must_be_as_many() -> None:
    with pytest.raises(AttackError, match="there are 2 targets for 3 images"):
        Targeted(torch.tensor([1, 0])).classes(LABELS)


@pytest.mark.parametrize("label", [-1, 0.5, True, torch.tensor([0, -2]), torch.zeros(2, 2, dtype=torch.long)])
def test_targets_that_are_no_classes_are_refused(label) -> None:
    with pytest.raises(AttackError, match="a target is the number of a class"):
        Targeted(label)
