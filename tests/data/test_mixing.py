"""Mixed images and their labels are in the same shares."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import beta, kstest

from striate.data.mixing import CutMix, Mixup
from striate.data.policy import Policy
from striate.data.warp_changes import Turn


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", [Mixup, CutMix])
@pytest.mark.parametrize("strength", [0.2, 1.0, 8.0])
def test_shares_are_drawn_from_the_beta_distribution(kind, strength) -> None:
    drawn = kind(strength).draw(2000, _seeded())
    assert kstest(drawn[:, 0].numpy(), beta(strength, strength).cdf).pvalue > 0.001
    assert kind(strength).draw(2000, _seeded()).equal(drawn)
    assert not kind(strength).draw(2000, _seeded(1)).equal(drawn)
    half = kind(strength, share=0.5).draw(2000, _seeded())
    assert abs(float((half[:, 0] == 1).double().mean()) - 0.5) < 0.06


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_mixup_is_a_weighed_sum(dtype) -> None:
    top = 255 if dtype == torch.uint8 else 1
    images = (torch.rand(4, 3, 6, 6) * top).to(dtype)
    others = (torch.rand(4, 3, 6, 6) * top).to(dtype)
    shares = torch.tensor([[0.25, 0, 0], [1.0, 0, 0], [0.0, 0, 0], [0.9, 0, 0]], dtype=torch.float64)
    weights = shares[:, 0].view(4, 1, 1, 1)
    wanted = weights * images.double() + (1 - weights) * others.double()
    kept = Mixup().mix(images, others, shares)
    assert kept.equal(shares[:, 0])
    assert images.dtype == dtype
    assert (images.double() - wanted).abs().max() <= (0.51 if dtype == torch.uint8 else 1e-6)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_cutmix_keeps_as_much_of_the_label_as_of_the_area(dtype) -> None:
    images, others = torch.zeros(50, 2, 9, 11, dtype=dtype), torch.ones(50, 2, 9, 11, dtype=dtype)
    drawn = CutMix(share=0.8).draw(50, _seeded())
    kept = CutMix().mix(images, others, drawn)
    taken = images.double().mean(dim=(1, 2, 3))
    torch.testing.assert_close(1 - kept, taken)
    assert (kept[drawn[:, 0] == 1] == 1).all()
    for image in images:
        marked = image[0].bool()
        assert int(marked.sum()) == int(marked.any(dim=1).sum()) * int(marked.any(dim=0).sum())
    inner = CutMix().mix(
        torch.zeros(1, 1, 12, 12), torch.ones(1, 1, 12, 12), torch.tensor([[0.75, 0.5, 0.5]])
    )
    assert inner.item() == pytest.approx(0.75)


@pytest.mark.parametrize("changes", [(Mixup(1.0),), (CutMix(),), (Mixup(1.0), CutMix()), (CutMix(), Turn())])
def test_images_are_mixed_with_the_next_and_labels_with_theirs(changes) -> None:
    """Images of one value each, so that what they became says what they were mixed of."""
    values = torch.tensor([0, 50, 120, 250, 130], dtype=torch.uint8)
    images = values.view(5, 1, 1, 1).expand(5, 1, 12, 12).clone()
    labels = torch.tensor([0, 1, 2, 0, 1])
    policy = Policy(flip=False, shift=0, changes=changes)
    draws = policy.draw(torch.zeros(5, dtype=torch.bool), _seeded())
    assert policy.mixes
    mixed, shares = policy.mix(policy.change(images, draws), labels, draws, classes=4)
    assert shares.shape == (5, 4)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(5))
    for number in range(5):
        following = (number + 1) % 5
        kept = shares[number, labels[number]].item()
        if labels[number] != labels[following]:
            assert shares[number, labels[following]].item() == pytest.approx(1 - kept, abs=1e-6)
            wanted = kept * values[number].item() + (1 - kept) * values[following].item()
            assert mixed[number].double().mean().item() == pytest.approx(wanted, abs=0.6)


def test_of_two_mixtures_each_image_has_one() -> None:
    policy = Policy(flip=False, shift=0, changes=(Mixup(1.0), CutMix()))
    first, second = policy.draw(torch.zeros(1000, dtype=torch.bool), _seeded()).changes
    assert ((first[:, 0] == 1) ^ (second[:, 0] == 1)).all()
    assert 400 < int((first[:, 0] == 1).sum()) < 600


def test_a_part_of_a_batch_and_the_image_after_it_are_mixed_as_within_the_whole() -> None:
    images = torch.randint(0, 256, (6, 3, 8, 8), generator=_seeded(), dtype=torch.uint8)
    labels = torch.arange(6)
    policy = Policy(flip=False, shift=0, changes=(Mixup(1.0), CutMix()))
    draws = policy.draw(torch.zeros(6, dtype=torch.bool), _seeded())
    whole, shares = policy.mix(images.clone(), labels, draws, classes=6)
    for rows, needed in ((slice(1, 3), [1, 2, 3]), (slice(4, 6), [4, 5, 0]), (slice(0, 0), [])):
        some, of_some = policy.mix(images[needed], labels[needed], draws.of(rows), classes=6)
        assert some.equal(whole[rows])
        assert of_some.equal(shares[rows])


def test_a_batch_of_one_is_mixed_with_itself() -> None:
    image = torch.randint(0, 256, (1, 3, 8, 8), generator=_seeded(), dtype=torch.uint8)
    policy = Policy(flip=False, shift=0, changes=(Mixup(1.0),))
    draws = policy.draw(torch.zeros(1, dtype=torch.bool), _seeded())
    mixed, shares = policy.mix(image.clone(), torch.tensor([1]), draws, classes=2)
    assert (mixed.int() - image.int()).abs().max() <= 1
    assert shares[0].tolist() == pytest.approx([0, 1])
