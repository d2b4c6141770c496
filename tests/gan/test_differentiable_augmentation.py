"""Changes of images before they are judged: what they say, the same for both kinds, and differentiable."""

from __future__ import annotations

import pytest
import torch

from striate.core.errors import RecipeError
from striate.gan.differentiable_augmentation import CHANGES, DifferentiableAugmentation

EVERY = DifferentiableAugmentation.parse("colour,translation,cutout")


def images(count: int = 6, channels: int = 3, side: int = 16) -> torch.Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_words_are_read_in_any_order_and_wrong_ones_refused() -> None:
    assert DifferentiableAugmentation.parse("cutout,colour").changes == ("colour", "cutout")
    assert DifferentiableAugmentation.parse("none").changes == ()
    with pytest.raises(RecipeError, match="did you mean 'cutout'"):
        DifferentiableAugmentation.parse("cutot")
    with pytest.raises(RecipeError, match="no differentiable change 'none'"):
        DifferentiableAugmentation.parse("none,colour")


def test_the_same_draws_change_another_batch_in_the_same_way() -> None:
    one = images()
    draws = EVERY.draw(one)
    assert EVERY(one, draws).equal(EVERY(one.clone(), draws))
    moved = DifferentiableAugmentation.parse("translation,cutout")
    # What moves an image and cuts a hole is linear: it changes all images alike.
    other = torch.randn_like(one)
    assert torch.allclose(moved(one + other, draws), moved(one, draws) + moved(other, draws), atol=1e-6)
    assert not EVERY(one, draws).equal(EVERY(one, EVERY.draw(one)))


def test_nothing_changes_nothing() -> None:
    one = images()
    assert DifferentiableAugmentation()(one, EVERY.draw(one)) is one


@pytest.mark.parametrize("change", CHANGES)
def test_the_gradient_is_that_of_differences(change) -> None:
    augmentation = DifferentiableAugmentation.parse(change)
    one = images(2, side=6).double()
    draws = augmentation.draw(one).double()
    assert torch.autograd.gradcheck(lambda batch: augmentation(batch, draws), one.requires_grad_())


def test_translation_moves_by_whole_pixels_up_to_an_eighth() -> None:
    augmentation = DifferentiableAugmentation.parse("translation")
    one = torch.zeros(1, 1, 16, 16)
    one[0, 0, 8, 5] = 1
    seen = set()
    for down in torch.linspace(0, 0.999, 20):
        draws = torch.zeros(1, 7)
        draws[0, 3], draws[0, 4] = down, 0.999
        moved = augmentation(one, draws)[0, 0]
        assert moved.sum() == 1
        row, column = divmod(int(moved.argmax()), 16)
        seen.add(row - 8)
        assert column - 5 == -2
    assert seen == {-2, -1, 0, 1, 2}
    assert augmentation(torch.ones(1, 1, 16, 16), torch.zeros(1, 7)).sum() == 14 * 14


def test_cutout_cuts_half_a_side_anywhere() -> None:
    augmentation = DifferentiableAugmentation.parse("cutout")
    white = torch.ones(400, 3, 16, 16)
    cut = augmentation(white, augmentation.draw(white)) == 0
    holes = cut[:, 0].sum((1, 2))
    assert holes.max() == 64
    assert holes.min() >= 16  # half of it may lie outside, along each axis
    assert cut.any(dim=0).all()
    assert cut[:, 0].equal(cut[:, 2])


def test_colour_follows_its_formulas() -> None:
    augmentation = DifferentiableAugmentation.parse("colour")
    one = images(1)
    draws = torch.zeros(1, 7)
    draws[0, :3] = torch.tensor([0.75, 0.5, 0.5])  # brighter by 0.25, saturation and contrast as they are
    assert torch.allclose(augmentation(one, draws), one + 0.25, atol=1e-6)
    draws[0, :3] = torch.tensor([0.5, 0.0, 0.5])
    grey = augmentation(one, draws)
    assert torch.allclose(grey, one.mean(1, keepdim=True).expand_as(one), atol=1e-6)
    draws[0, :3] = torch.tensor([0.5, 0.5, 0.0])
    assert augmentation(one, draws).std().item() == pytest.approx(one.std().item() / 2, rel=1e-3)
