"""Balls of other radii: within what the norm allows, and in the widest no answer can be right."""

from __future__ import annotations

import pytest
import torch

from striate.attack.balls import L0, L1, L2, Linf
from striate.attack.radii import at_radius, multiples, radius_text, widest


@pytest.mark.parametrize("ball", [Linf(0.1), L2(0.5), L1(3.0), L0(2)])
def test_the_widest_ball_holds_a_grey_for_every_image(ball) -> None:
    images = torch.rand(20, 3, 4, 5).round()
    grey = torch.full_like(images, 0.5)
    assert (ball.norms(grey - images) > ball.eps).all()
    wide = widest(ball, images)
    assert type(wide) is type(ball)
    assert (wide.norms(grey - images) <= wide.eps + 1e-9).all()
    assert widest(wide, images) == wide


def test_multiples_rise_without_the_radius_itself() -> None:
    assert [each.eps for each in multiples(L0(3), [0.1, 0.25, 0.5, 1, 2])] == [1, 2, 6]
    assert [each.eps for each in multiples(Linf(0.4), [0.5, 1, 2, 4])] == [0.2, 0.8, 1.0]
    assert at_radius(L2(1.0), 7.0) == L2(7.0)


@pytest.mark.parametrize(
    ("ball", "text"),
    [
        (Linf(16 / 255), "linf 16/255"),
        (Linf(0.3), "linf 0.3"),
        (Linf(0.0), "linf 0"),
        (Linf(1.0), "linf 1"),
        (L0(5), "l0 5"),
        (L1(12.5), "l1 12.5"),
    ],
)
def test_a_radius_is_written_as_people_write_it(ball, text: str) -> None:
    assert radius_text(ball) == text
