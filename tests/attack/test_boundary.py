"""The way back to the clean image ends just before the goal is lost, also where it is lost and met again."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.attack.boundary import HALVINGS, nearer
from striate.attack.goals import Targeted, Untargeted
from striate.attack.victim import Victim


def bands(images: Tensor) -> Tensor:
    """Answer 1 from 0.3 to 0.4 and from 0.6, else 0."""
    x = images.flatten(1)[:, 0]
    inside = ((x >= 0.3) & (x < 0.4)) | (x >= 0.6)
    return torch.stack([(~inside).float(), 2.0 * inside], dim=1)


def test_the_way_back_ends_at_a_boundary() -> None:
    images, found = torch.zeros(3, 1, 1), torch.tensor([0.39, 0.65, 1.0]).view(3, 1, 1)
    labels = torch.zeros(3, dtype=torch.long)
    for goal in (Untargeted(), Targeted(1), Targeted(torch.tensor([1, 1, 1]))):
        with Victim(bands) as victim:
            reached = nearer(victim, goal, images, found, labels)
        assert goal.is_met(bands(reached), labels).all()
        assert (reached <= found).all()
        steps = found.flatten() / 2**HALVINGS
        just_nearer = (reached.flatten() - 1.01 * steps).view(3, 1, 1)
        assert not goal.is_met(bands(just_nearer), labels).any()


def test_what_is_met_up_to_the_clean_image_goes_nearly_there() -> None:
    images, found = torch.full((1, 1, 1), 0.7), torch.full((1, 1, 1), 0.9)
    with Victim(bands) as victim:
        reached = nearer(victim, Untargeted(), images, found, torch.tensor([0]))
    assert 0.7 < reached.item() < 0.7 + 0.2 * 2.0 ** (1 - HALVINGS)
