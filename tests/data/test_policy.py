"""Policies change every image by itself, as was drawn for it, whatever else is in the batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import RecipeError
from striate.data import policy as policy_module
from striate.data.augment_language import CHANGES, parse_policy
from striate.data.augmentation import Augmentation
from striate.data.mixing import Mixing
from striate.data.policy import Policy
from striate.data.trivial import Trivial
from striate.data.value_changes import Blur, Brightness, Contrast, Hue, Saturation
from striate.data.warp_changes import Perspective, Scale, Turn
from striate.nn import recolour, resample

ALONE = [name for name, kind in CHANGES.items() if 2 in kind.dims and not issubclass(kind, Mixing)]
STRONG = {"blur": "blur=0.2"}
"""What the usual strength of does nothing to such small images."""

EVERYTHING = "flip,crop,turn,perspective,hue,contrast,gamma,blur,noise,erase,foveate,trivial"


def _images(count: int = 12, channels: int = 3, side: int = 16, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, side, side), generator=generator, dtype=torch.uint8)


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _none(count: int) -> torch.Tensor:
    return torch.zeros(count, dtype=torch.bool)


def _policy(text: str, *, shift: int = 0) -> Policy:
    read = parse_policy(text)
    return Policy(flip=read.flip, shift=shift, changes=read.changes)


@pytest.mark.parametrize("name", [*ALONE, EVERYTHING])
def test_an_image_is_changed_the_same_whatever_else_is_there(name, monkeypatch) -> None:
    """Rows of the whole batch are those of any part of it, in parts of any size."""
    policy, images = _policy(name, shift=2), _images()
    draws = policy.draw(torch.arange(12) % 2 == 0, _seeded())
    whole = policy.change(images, draws)
    monkeypatch.setattr(policy_module, "ROOM", 3 * 16 * 16 * 2)
    for rows in (slice(3, 8), torch.tensor([11, 0, 4])):
        assert policy.change(images[rows], draws.of(rows)).equal(whole[rows])


@pytest.mark.parametrize("name", ALONE)
def test_changes_change_pictures_and_keep_type_and_range(name) -> None:
    policy, images = _policy(f"{STRONG.get(name, name)}@1"), _images()
    changed = policy(images, _none(12), _seeded())
    assert changed.dtype == torch.uint8
    assert changed.shape == images.shape
    assert sum(not a.equal(b) for a, b in zip(changed, images, strict=True)) >= 6
    floats = images.float() / 255
    before = floats.clone()
    as_floats = policy(floats, _none(12), _seeded())
    assert floats.equal(before)
    assert as_floats.dtype == torch.float32
    assert 0 <= as_floats.min() <= as_floats.max() <= 1
    # Bytes are the floats, rounded: but thresholds and shades may fall to the other side of a rounding.
    apart = ((as_floats * 255).round() - changed.float()).abs()
    assert (apart > 0).float().mean() < 0.01


@pytest.mark.parametrize("name", ALONE)
def test_images_that_are_not_chosen_stay_as_they_are(name) -> None:
    policy, images = _policy(f"{STRONG.get(name, name)}@0.3"), _images(40, side=8)
    changed = policy(images, _none(40), _seeded())
    same = sum(a.equal(b) for a, b in zip(changed, images, strict=True))
    # At least what was not chosen: 28 on average of 40, with a standard deviation of 3.
    assert same >= 17
    assert same < 40


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_images_of_any_channels_are_changed_unless_they_lack_colours(name, channels) -> None:
    policy = _policy(name)
    if CHANGES[name].needs_colour:
        with pytest.raises(
            RecipeError, match=f"'{name}' changes colours, which images of {channels} channel"
        ):
            policy.check(channels)
        return
    policy.check(channels)
    images = _images(6, channels, 9)
    assert policy(images, _none(6), _seeded()).shape == images.shape


@given(side=st.integers(1, 9), other=st.integers(1, 9), seed=st.integers(0, 99))
def test_images_of_any_size_are_changed(side, other, seed) -> None:
    policy = _policy(EVERYTHING)
    images = torch.randint(0, 256, (3, 3, side, other), generator=_seeded(seed), dtype=torch.uint8)
    assert policy(images, _none(3), _seeded(seed)).shape == images.shape


def test_a_policy_of_nothing_changes_nothing_and_none_is_no_image() -> None:
    images = _images()
    assert _policy("none")(images, ~_none(12), _seeded()).equal(images)
    assert _policy(EVERYTHING)(images[:0], _none(0), _seeded()).shape == (0, 3, 16, 16)


def test_mirroring_and_shifting_are_those_of_the_plain_augmentation() -> None:
    images = _images(side=20)
    mirrored = torch.arange(12) % 3 == 0
    flipped = Policy(flip=True, shift=0, changes=(Brightness(1e-9),))
    plain = Augmentation(flip=True, shift=0)
    assert flipped(images, mirrored, _seeded()).equal(plain(images, mirrored, _seeded()))
    shifted = Policy(flip=True, shift=3, changes=(Brightness(1e-9),))
    draws = shifted.draw(mirrored, _seeded())
    assert draws.moved.abs().max() == 3
    changed = shifted.change(images, draws)
    for image, moved, turned, wanted in zip(images, draws.moved, mirrored, changed, strict=True):
        right, down = moved.tolist()
        rolled = (image.flip(2) if turned else image).roll((down, right), (1, 2))
        assert rolled[:, 3:-3, 3:-3].equal(wanted[:, 3:-3, 3:-3])


def test_warps_are_one_resampling_and_colours_one_matrix() -> None:
    images = _images(4).float() / 255
    changes = (Turn(30.0), Hue(0.2), Scale(0.3), Contrast(0.5), Perspective(0.4), Saturation(0.9))
    policy = Policy(flip=True, shift=2, changes=changes)
    draws = policy.draw(torch.tensor([True, False, True, False]), _seeded())
    matrices = torch.eye(3, dtype=torch.float64).repeat(4, 1, 1)
    matrices[[0, 2], 0, 0] = -1
    moves = torch.eye(3, dtype=torch.float64).repeat(4, 1, 1)
    moves[:, :2, 2] = -draws.moved.double()
    matrices = matrices @ moves
    for number in (0, 2, 4):
        matrices = matrices @ changes[number].matrices(draws.changes[number], (16, 16))
    hue, contrast, saturation = (draws.changes[number][:, 0] for number in (1, 3, 5))
    wanted = recolour(
        resample(images, matrices),
        brightness=torch.ones(4),
        contrast=1 + 0.5 * contrast,
        saturation=1 + 0.9 * saturation,
        hue=0.2 * hue,
    )
    torch.testing.assert_close(policy.change(images, draws), wanted)


def test_the_seed_decides_and_draws_are_between_the_ends() -> None:
    policy = _policy(EVERYTHING)
    one, same, other = (policy.draw(_none(200), _seeded(seed)) for seed in (1, 1, 2))
    for a, b, c in zip(one.changes, same.changes, other.changes, strict=True):
        assert a.equal(b)
        assert not a.equal(c)
        assert a.abs().max() <= 1
        chosen = a[a.any(dim=1)]
        assert chosen[:, 0].min() < -0.8
        assert chosen[:, 0].max() > 0.8


def test_a_share_is_of_the_images() -> None:
    drawn = Blur(share=0.25).draw(4000, _seeded())
    assert abs(float(drawn.any(dim=1).double().mean()) - 0.25) < 4 * (0.25 * 0.75 / 4000) ** 0.5


@pytest.mark.parametrize(("name", "kind"), CHANGES.items())
@pytest.mark.parametrize("value", [0.0, -0.1, float("nan"), float("inf"), 1e9])
def test_numbers_out_of_range_are_refused_with_the_range(name, kind, value) -> None:
    with pytest.raises(RecipeError, match=rf"'{name}' is .*, which is not in \(0, {kind.limit:g}\]"):
        kind(value)
    with pytest.raises(RecipeError, match=rf"the share of '{name}' is .*, which is not in \(0, 1\]"):
        kind(share=value)
    assert kind(kind.limit).strength == kind.limit


@pytest.mark.parametrize("name", [*ALONE, EVERYTHING])
def test_both_orders_of_memory_give_the_same(name) -> None:
    policy, images = _policy(name), _images(5)
    last = images.contiguous(memory_format=torch.channels_last)
    draws = policy.draw(_none(5), _seeded())
    apart = (policy.change(last, draws).int() - policy.change(images, draws).int()).abs()
    assert (apart > 1).float().mean() < 0.01


def test_a_narrower_space_is_nearer_to_the_picture() -> None:
    images = _images(60).float() / 255
    distances = [
        float((Policy(flip=False, shift=0, changes=(Trivial(width),))(images, _none(60), _seeded()) - images)
              .abs().mean())
        for width in (0.1, 0.5, 1.0)
    ]  # fmt: skip
    assert distances == sorted(distances)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("name", [*ALONE, EVERYTHING])
def test_a_gpu_makes_the_same(name) -> None:
    policy, images = _policy(name), _images(5)
    draws = policy.draw(_none(5), _seeded())
    there = policy.change(images.cuda(), draws).cpu()
    apart = (there.int() - policy.change(images, draws).int()).abs()
    assert (apart > 1).float().mean() < 0.01


@pytest.mark.parametrize("policy", ["mixup=1", "cutmix=1"])
def test_tables_of_labels_are_mixed_as_classes_are(policy):
    augmentation = parse_policy(policy)
    labels = torch.tensor([0, 1, 2, 1])
    images = torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8)
    draws = augmentation.draw(torch.zeros(4, dtype=torch.bool), torch.Generator().manual_seed(0))
    table = torch.nn.functional.one_hot(labels, 3).float()
    _, of_classes = augmentation.mix(images.clone(), labels, draws, classes=3)
    _, of_tables = augmentation.mix(images.clone(), table, draws, classes=3)
    assert of_classes.equal(of_tables)
    several = torch.tensor([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    _, mixed = augmentation.mix(images.clone(), several, draws, classes=2)
    assert ((mixed >= 0) & (mixed <= 1)).all()
    assert torch.allclose(mixed[3], torch.ones(2))  # both images have both
