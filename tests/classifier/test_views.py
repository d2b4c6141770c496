"""The views of an image: each where it should be, and logits that are their mean."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from striate.classifier.views import views


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("shifted", [0, 1, 3])
def test_shares_sum_to_one_and_views_are_where_they_should_be(mirrored, shifted) -> None:
    images = torch.rand(2, 3, 6, 5)
    found = views(images, mirrored=mirrored, shifted=shifted)
    assert sum(share for share, _ in found) == 1
    assert len(found) == (3 if shifted else 1) * (2 if mirrored else 1)
    assert found[0][1].equal(images)
    if mirrored:
        for (one, view), (other, flipped) in zip(found[::2], found[1::2], strict=True):
            assert one == other
            assert flipped.equal(torch.flip(view, dims=(3,)))
    if shifted:
        corners = [view for _, view in found[:: 2 if mirrored else 1]][1:]
        padded = F.pad(images, (shifted,) * 4, mode="reflect")
        for corner, start in zip(corners, (0, 2 * shifted), strict=True):
            assert corner.equal(padded[:, :, start : start + 6, start : start + 5])
        # Shifted down and right, then up and left: inside the border the image itself.
        assert corners[0][:, :, shifted:, shifted:].equal(images[:, :, :-shifted, :-shifted])
        assert corners[1][:, :, :-shifted, :-shifted].equal(images[:, :, shifted:, shifted:])
