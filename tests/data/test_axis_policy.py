"""Series, volumes and clips are changed each by itself, as was drawn, and as each change says."""

from __future__ import annotations

import math

import pytest
import torch

from striate.core.errors import RecipeError
from striate.data.augment_language import CHANGES, check_augment, make_augmentation, parse_policy
from striate.data.augmentation import Augmentation
from striate.data.axis_changes import Amplitude, Warp, Window
from striate.data.axis_policy import AxisPolicy
from striate.data.mixing import Mixing
from striate.data.value_changes import Noise
from striate.data.warp_changes import Crop, Scale, Shift

SIZES = {1: (40,), 3: (6, 10, 12)}
NAMES = [(name, dims) for name, kind in CHANGES.items() for dims in SIZES if dims in kind.dims]
ALONE = [pair for pair in NAMES if not issubclass(CHANGES[pair[0]], Mixing)]


def _items(dims: int, count: int = 8, *, bytes_: bool = False) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    # Smooth, so that what is read between two values is not lost in noise.
    items = torch.randn(count, 2, *SIZES[dims], generator=generator).cumsum(dim=-1)
    return (items * 10 + 128).clamp(0, 255).byte() if bytes_ else items


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _policy(text: str, *, flip: bool = False, shift: int = 0) -> AxisPolicy:
    return AxisPolicy(flip=flip, shift=shift, changes=parse_policy(text).changes)


@pytest.mark.parametrize(("name", "dims"), ALONE)
@pytest.mark.parametrize("bytes_", [False, True])
def test_an_item_is_changed_the_same_whatever_else_is_there(name, dims, bytes_, monkeypatch) -> None:
    policy, items = _policy(f"{name}@1", flip=True, shift=2), _items(dims, bytes_=bytes_)
    draws = policy.draw(torch.arange(8) % 2 == 0, _seeded())
    whole = policy.change(items, draws)
    assert (whole.shape, whole.dtype) == (items.shape, items.dtype)
    assert not whole.equal(items)
    monkeypatch.setattr("striate.data.axis_policy.ROOM", 2 * items[0].numel())
    for rows in (slice(3, 6), torch.tensor([7, 0, 4])):
        # The mean of an item is summed in another order in another batch.
        apart = policy.change(items[rows], draws.of(rows)).double() - whole[rows].double()
        assert apart.abs().max() <= (1 if bytes_ else 1e-5)
        assert (apart != 0).double().mean() < (0.01 if bytes_ else 1)


@pytest.mark.parametrize(("name", "dims"), ALONE)
def test_nothing_happens_to_items_that_chance_leaves_out(name, dims) -> None:
    policy, items = _policy(f"{name}@0.5"), _items(dims)
    draws = policy.draw(torch.zeros(8, dtype=torch.bool), _seeded(3))
    left = (draws.changes[0] == 0).all(dim=1)
    assert 0 < left.sum() < 8
    changed = policy.change(items, draws)
    assert changed[left].equal(items[left])
    assert not any(one.equal(other) for one, other in zip(changed[~left], items[~left], strict=True))


@pytest.mark.parametrize("dims", [1, 3])
def test_whole_values_are_shifted_and_mirrored_exactly(dims) -> None:
    items = _items(dims)
    policy = AxisPolicy(flip=True, shift=3)
    draws = policy.draw(torch.arange(8) % 2 == 1, _seeded())
    changed = policy.change(items, draws)
    for before, after, moved, mirrored in zip(
        items, changed, draws.moved.tolist(), draws.mirrored, strict=True
    ):
        seen = before.flip(-1) if mirrored else before
        size = SIZES[dims][-1]
        places = (torch.arange(size) - moved[0]).abs()
        expected = seen[..., size - 1 - (size - 1 - places).abs()]
        if dims == 3:
            height = SIZES[dims][1]
            down = (torch.arange(height) - moved[1]).abs()
            expected = expected[..., height - 1 - (height - 1 - down).abs(), :]
        assert after.equal(expected)


def test_windows_stay_within_the_item_and_show_what_they_say() -> None:
    ramp = torch.arange(50.0).repeat(200, 1, 1)
    for change, last in ((Crop(0.5), 49.0), (Window(0.5), 5.0)):
        policy = AxisPolicy(flip=False, shift=0, changes=(change,))
        items = (
            ramp
            if isinstance(change, Crop)
            else torch.arange(6.0).view(1, 1, 6, 1, 1).repeat(200, 1, 1, 4, 4)
        )
        shown = policy(items, torch.zeros(200, dtype=torch.bool), _seeded()).flatten(2)
        low, high = shown.amin(dim=2)[:, 0], shown.amax(dim=2)[:, 0]
        assert low.min() >= 0
        assert high.max() <= last + 1e-4
        share = (high - low) / last
        assert share.min() >= 0.5 - 1e-5
        assert share.min() < 0.55
        assert share.max() > 0.95


def test_shifts_and_scales_of_series_are_shares_of_their_length() -> None:
    peak = torch.zeros(300, 1, 101)
    peak[:, :, 50] = 1
    policy = AxisPolicy(flip=False, shift=0, changes=(Shift(0.2),))
    where = policy(peak, torch.zeros(300, dtype=torch.bool), _seeded()).argmax(dim=2)
    assert 15 < (where - 50).abs().max() <= 21
    wide = torch.exp(-(((torch.arange(101.0) - 50) / 8) ** 2)).repeat(300, 1, 1)
    policy = AxisPolicy(flip=False, shift=0, changes=(Scale(0.5),))
    width = (policy(wide, torch.zeros(300, dtype=torch.bool), _seeded()) > 0.5).sum(dim=2).float()
    ratio = width / (wide > 0.5).sum(dim=2)
    assert 1.3 < ratio.max() <= 1.65
    assert 0.6 <= ratio.min() < 0.75


def test_warps_keep_the_ends_and_go_on_in_time() -> None:
    ramp = torch.linspace(0, 1, 60).repeat(200, 1, 1)
    policy = AxisPolicy(flip=False, shift=0, changes=(Warp(0.9),))
    warped = policy(ramp, torch.zeros(200, dtype=torch.bool), _seeded())[:, 0]
    torch.testing.assert_close(warped[:, 0], torch.zeros(200))
    torch.testing.assert_close(warped[:, -1], torch.ones(200))
    steps = warped.diff(dim=1) * 59
    assert steps.min() > 0.1 - 1e-3
    assert steps.max() < 1.9 + 1e-3
    assert steps.max() > 1.5


def test_amplitudes_and_noise_are_measured_by_the_item_itself() -> None:
    items = _items(1, 400) * torch.tensor([1.0, 1000.0]).view(1, 2, 1) + 7
    none = torch.zeros(400, dtype=torch.bool)
    louder = AxisPolicy(flip=False, shift=0, changes=(Amplitude(0.5),))(items, none, _seeded())
    factor = louder.std(dim=2) / items.std(dim=2)
    torch.testing.assert_close(factor[:, 0], factor[:, 1], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(louder.mean(dim=2), items.mean(dim=2), rtol=1e-3, atol=1e-1)
    assert 0.5 - 1e-3 <= factor.min() < 0.55
    assert 1.45 < factor.max() <= 1.5 + 1e-3
    noisy = AxisPolicy(flip=False, shift=0, changes=(Noise(0.2, 1.0),))(items, none, _seeded())
    added = (noisy - items).std(dim=2) / items.std(dim=2)
    assert added.max() < 0.2 * 1.5
    assert math.isclose(float(added[:, 0].mean()), float(added[:, 1].mean()), rel_tol=0.1)
    assert math.isclose(float(added.mean()), 0.1, rel_tol=0.15)


def test_bytes_stay_in_their_range() -> None:
    clips = torch.full((8, 3, 4, 6, 6), 255, dtype=torch.uint8)
    clips[:, :, ::2] = 0
    changed = _policy("noise=1@1,amplitude=1")(clips, torch.zeros(8, dtype=torch.bool), _seeded())
    assert changed.dtype == torch.uint8
    assert changed[:, :, ::2].float().mean() < 60
    assert changed[:, :, 1::2].float().mean() > 195


def test_mixtures_of_series_add_up() -> None:
    policy, series = _policy("mixup=1"), _items(1)
    draws = policy.draw(torch.zeros(8, dtype=torch.bool), _seeded())
    mixed, shares = policy.mix(series.clone(), torch.arange(8), draws, classes=8)
    for row in range(8):
        other = (row + 1) % 8
        expected = shares[row, row] * series[row] + shares[row, other] * series[other]
        torch.testing.assert_close(mixed[row], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "dims", "words"),
    [
        ("turn", 1, "'turn' is no change of series; there are: flip, crop, shift, scale, noise, mixup"),
        ("window", 1, "'window' is no change of series"),
        ("trivial", 3, "'trivial' is no change of volumes; there are: flip, .*warp, window"),
        ("amplitude", 2, "'amplitude' is no change of images"),
    ],
)
def test_changes_of_something_else_are_refused(text, dims, words) -> None:
    with pytest.raises(RecipeError, match=words):
        check_augment(text, channels=1, dims=dims)


def test_what_needs_no_policy_has_none() -> None:
    plain = make_augmentation(None, flip=False, shift=0, dims=1)
    assert type(plain) is Augmentation
    assert isinstance(make_augmentation(None, flip=True, shift=0, dims=3), AxisPolicy)
    assert isinstance(make_augmentation("warp", flip=False, shift=0, dims=1), AxisPolicy)
