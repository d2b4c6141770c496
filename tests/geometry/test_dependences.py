"""No element depends on more than is told of it, whatever is done with the tensor on the way."""

from __future__ import annotations

import itertools
import math
import random

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from striate.geometry.dependences import Dependence, Seen, Source, joined, mapped, of_input, united, unknown
from striate.geometry.functions import FunctionCalls
from striate.geometry.reaches import Digit, Reach
from striate.geometry.recording import Recorder

SHAPE = (2, 8, 6)


def windows_apart(x: Tensor) -> Tensor:
    """Cut a map into windows of 2x2, mix within each, and put it together again."""
    count, channels, height, width = x.shape
    cut = x.view(count, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 3, 5, 1)
    tokens = cut.reshape(-1, 4, channels)
    mixed = tokens + tokens.mean(dim=1, keepdim=True)
    back = mixed.view(count, height // 2, width // 2, 2, 2, channels).permute(0, 5, 1, 3, 2, 4)
    return back.reshape(count, channels, height, width)


def attention_along_rows(x: Tensor) -> Tensor:
    rows = x.permute(0, 2, 3, 1)
    return F.scaled_dot_product_attention(rows, rows, rows).permute(0, 3, 1, 2)


def by_columns(x: Tensor) -> Tensor:
    """A convolution written with unfold and a product of matrices."""
    columns = F.unfold(x, (3, 2), padding=(1, 0), dilation=(1, 2))
    weights = torch.ones(2, columns.shape[1], dtype=columns.dtype)
    return (weights @ columns).view(1, 2, x.shape[2], x.shape[3] - 2)


def with_token(x: Tensor) -> Tensor:
    """Flatten, put a token before, change each by itself, and take the token away again."""
    tokens = x.flatten(2).transpose(1, 2)
    longer = torch.cat([torch.zeros(1, 1, tokens.shape[2], dtype=x.dtype), tokens], dim=1) * 2
    return longer[:, 1:].transpose(1, 2).reshape(x.shape)


def convolved(x: Tensor, **options: int) -> Tensor:
    channels = x.shape[1]
    return F.conv2d(x, torch.ones(2, channels, 3, 2, dtype=x.dtype), padding=(1, 0), **options)


EVEN = "even"
STEPS = {
    "convolved": (convolved, ()),
    "strided": (lambda x: convolved(x, stride=2), ()),
    "transposed convolution": (
        lambda x: F.conv_transpose2d(
            x, torch.ones(x.shape[1], 2, 3, 2, dtype=x.dtype), stride=2, padding=(1, 0)
        ),
        (),
    ),
    "average": (lambda x: F.avg_pool2d(x, (2, 3), stride=1), ()),
    "adaptive": (lambda x: F.adaptive_avg_pool2d(x, (5, 4)), ()),
    "nearest": (lambda x: F.interpolate(x, size=(7, 5)), ()),
    "bilinear": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), ()),
    "corners": (lambda x: F.interpolate(x, size=(5, 9), mode="bilinear", align_corners=True), ()),
    "cubic": (lambda x: F.interpolate(x, size=(9, 5), mode="bicubic"), ()),
    "shuffle": (lambda x: F.pixel_shuffle(torch.cat([x] * 4, dim=1)[:, :4], 2), ()),
    "unshuffle": (lambda x: F.pixel_unshuffle(x, 2), (EVEN,)),
    "windows": (windows_apart, (EVEN,)),
    "attention": (attention_along_rows, ()),
    "columns": (by_columns, ()),
    "token": (with_token, ()),
    "mirrored": (lambda x: x.flip(2), ()),
    "swapped": (lambda x: x.transpose(2, 3), ()),
    "cut": (lambda x: x[:, :, 1:, ::2], ()),
    "padded": (lambda x: F.pad(x, (1, 0, 2, 1)), ()),
    "excited": (lambda x: x * x.mean(dim=(2, 3), keepdim=True), ()),
    "cumulative": (lambda x: x.cumsum(dim=2), ()),
    "repeated": (lambda x: x.repeat_interleave(2, dim=3), ()),
    "tiled": (lambda x: x.tile(1, 1, 2, 1), ()),
    "unfolded": (lambda x: x.unfold(2, 2, 1).sum(dim=-1), ()),
    "rows": (lambda x: x + x[:, :, :1], ()),
    "normed": (lambda x: F.layer_norm(x.movedim(1, -1), x.shape[1:2]).movedim(-1, 1), ()),
    "split": (lambda x: torch.stack(x.unbind(1), dim=1) * 2, ()),
    "two paths": (lambda x: x + F.avg_pool2d(x, 3, stride=1, padding=1), ()),
    "flattened": (lambda x: x.flatten(1).unflatten(1, x.shape[1:]) + 0, ()),
}


def applied(x: Tensor, names: list[str]) -> Tensor:
    for name in names:
        function, needs = STEPS[name]
        if (EVEN in needs and (x.shape[2] % 2 or x.shape[3] % 2)) or min(x.shape[2:]) < 4 or x.numel() > 3000:
            continue
        x = function(x)
    return x


def told(names: list[str]) -> tuple[Dependence, tuple[int, ...]]:
    recorder = Recorder(strict=False)
    images = torch.empty(1, *SHAPE, device="meta", dtype=torch.float64)
    recorder.give(images, of_input(0, SHAPE), frozenset({-1}))
    with torch.no_grad(), recorder, FunctionCalls(recorder):
        output = applied(images, names)
        return recorder.depends(output), tuple(output.shape)


def bounds(seen: Seen, index: tuple[int, ...]) -> tuple[float, float]:
    """Give the first and last place that is told for one element."""
    if seen.unknown:
        return -math.inf, math.inf
    ends = []
    for reach in seen.reaches:
        moved = sum(
            each.step * ((index[each.axis] - each.shift) // each.divisor % each.size) for each in reach.digits
        )
        ends.append((reach.first + moved, reach.last + moved))
    return min(end[0] for end in ends), max(end[1] for end in ends)


@settings(max_examples=120)
@given(names=st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=4), seed=st.integers(0, 100))
def test_no_element_depends_on_more_than_is_told(names, seed) -> None:
    dependence, shape = told(names)
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(1, *SHAPE, dtype=torch.float64, generator=generator).add_(0.1).requires_grad_()
    output = applied(images, names)
    assert tuple(output.shape) == shape
    places = list(itertools.product(*map(range, shape)))
    for index in random.Random(seed).sample(places, min(12, len(places))):
        (gradient,) = torch.autograd.grad(output[index], images, retain_graph=True, allow_unused=True)
        if gradient is None:
            continue
        for source, seen in dependence.items():
            low, high = bounds(seen, index)
            reached = (
                gradient.abs().movedim(source.axis + 2, 0).flatten(1).sum(dim=1).nonzero().flatten().tolist()
            )
            assert all(low <= place <= high for place in reached), (index, source, reached, low, high)


def test_every_step_is_followed_by_itself() -> None:
    followed = [name for name in STEPS if not any(seen.unknown for seen in told([name])[0].values())]
    assert sorted(followed) == sorted(STEPS)


SOURCE = Source(0, 0, 10)


def test_reaches_that_move_alike_become_one_and_those_within_what_all_see_go() -> None:
    digit = Digit(2, 1, 10, 1)
    near, far = Reach((digit,), -1, 1), Reach((digit,), 2, 3)
    assert united([near, far], SOURCE) == Seen((Reach((digit,), -1, 3),))
    everything = Reach((), -5, 20)
    assert united([near, everything], SOURCE) == Seen((everything,))
    half = Reach((), 0, 4)
    assert set(united([near, half], SOURCE).reaches) == {near, half}


def test_the_unknown_stays_so_unless_all_is_seen_anyway() -> None:
    known: Dependence = {SOURCE: Seen((Reach((), 0, 9),))}
    lost = unknown({SOURCE: Seen((Reach((), 0, 3),))}, "lost")
    assert joined([lost, known]) == known
    assert joined([lost, {SOURCE: Seen((Reach((), 0, 3),))}]) == lost
    assert unknown(lost, "again") == lost
    assert mapped(lost, lambda reach: reach) == lost
    assert mapped(known, lambda reach: None, "cut") == {SOURCE: Seen(unknown="cut")}  # noqa: ARG005


def test_too_many_places_at_once_are_unknown() -> None:
    reaches = [Reach((Digit(axis, 1, 3, 1),), 0, 0) for axis in range(9)]
    assert united(reaches, SOURCE).unknown
    assert not united(reaches[:8], SOURCE).unknown


@pytest.mark.parametrize("shape", [(4,), (4, 5), (1, 2, 3, 4)])
def test_an_input_depends_on_itself(shape) -> None:
    sources = of_input(1, shape)
    assert [source.size for source in sources] == list(shape[1:] or (1,))
    assert {source.input for source in sources} == {1}
