"""Skips add what they should, blocks equal their formulas, and shapes that differ are said."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from striate.core.errors import LayerError, ShapeError
from striate.nn import PreActivationBlock, Residual, ResidualBlock

SIZES = {1: (7,), 2: (6, 5), 3: (4, 5, 3)}
CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
BLOCKS = (ResidualBlock, PreActivationBlock)


def used(block: nn.Module, dims: int) -> nn.Module:
    """Let the norms of a block see something, so that they are no identity."""
    torch.manual_seed(1)
    for _ in range(3):
        block(torch.randn(4, block.inputs, *SIZES[dims]) * 2 + 1)
    return block.eval()


def test_a_residual_adds_its_input() -> None:
    body = nn.Linear(3, 3)
    features = torch.randn(2, 3)
    assert Residual(body)(features).equal(body(features) + features)
    skip = nn.Linear(3, 3)
    assert Residual(body, skip=skip)(features).equal(body(features) + skip(features))


def test_the_gradient_of_a_residual_is_one_more_than_the_bodys() -> None:
    body = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Sigmoid()).double()
    value = torch.tensor([[0.7]], dtype=torch.float64, requires_grad=True)
    (plain,) = torch.autograd.grad(body(value).sum(), value)
    (with_skip,) = torch.autograd.grad(Residual(body)(value).sum(), value)
    assert with_skip.item() == pytest.approx(1 + plain.item())


def test_a_body_that_begins_in_place_is_refused() -> None:
    for body in (
        nn.ReLU(inplace=True),
        nn.Sequential(nn.Sequential(nn.Dropout(inplace=True)), nn.Linear(3, 3)),
    ):
        with pytest.raises(LayerError, match=r"the body begins with .*inplace=True"):
            Residual(body)
    with pytest.raises(LayerError, match="the skip begins with ReLU"):
        Residual(nn.Linear(3, 3), skip=nn.ReLU(inplace=True))
    later = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True))
    features = torch.randn(2, 3)
    assert Residual(later)(features).equal(later(features) + features)


@pytest.mark.parametrize("channels", [1, 8])
def test_shapes_that_differ_are_said_even_where_torch_would_stretch_them(channels) -> None:
    features = torch.zeros(2, 4, 6, 6)
    with pytest.raises(ShapeError, match=f"the body gives 2x{channels}x6x6 and the skip 2x4x6x6"):
        Residual(nn.Conv2d(4, channels, 3, padding=1))(features)


@pytest.mark.parametrize("dims", SIZES)
@pytest.mark.parametrize(("outputs", "stride"), [(3, 1), (5, 1), (3, 2), (6, 3)])
def test_a_residual_block_equals_its_formula(dims, outputs, stride) -> None:
    block = used(ResidualBlock(3, outputs, stride=stride, dims=dims), dims)
    features = torch.randn(2, 3, *SIZES[dims])
    convolve = CONVOLVE[dims]
    main = F.relu(block.bn1(convolve(features, block.conv1.weight, stride=stride, padding=1)))
    main = block.bn2(convolve(main, block.conv2.weight, padding=1))
    skip = features
    if outputs != 3 or stride != 1:
        skip = block.downsample[1](convolve(features, block.downsample[0].weight, stride=stride))
    assert torch.allclose(block(features), F.relu(main + skip), atol=1e-6)
    assert block(features).shape[2:] == tuple(-(-side // stride) for side in SIZES[dims])


@pytest.mark.parametrize("dims", SIZES)
@pytest.mark.parametrize(("outputs", "stride"), [(3, 1), (5, 1), (3, 2)])
def test_a_pre_activation_block_equals_its_formula(dims, outputs, stride) -> None:
    block = used(PreActivationBlock(3, outputs, stride=stride, dims=dims), dims)
    features = torch.randn(2, 3, *SIZES[dims])
    kept = features.clone()
    convolve = CONVOLVE[dims]
    activated = F.relu(block.bn1(features))
    main = F.relu(block.bn2(convolve(activated, block.conv1.weight, stride=stride, padding=1)))
    main = convolve(main, block.conv2.weight, padding=1)
    plain = outputs == 3 and stride == 1
    skip = features if plain else convolve(activated, block.downsample.weight, stride=stride)
    assert torch.allclose(block(features), main + skip, atol=1e-6)
    assert features.equal(kept)


def test_a_residual_block_is_called_as_in_published_checkpoints() -> None:
    names = {name.rsplit(".", 1)[0] for name, _ in ResidualBlock(3, 4).named_parameters()}
    assert names == {"conv1", "bn1", "conv2", "bn2", "downsample.0", "downsample.1"}


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("dims", SIZES)
def test_gradients_are_right_and_reach_everything(block, dims) -> None:
    made = used(block(2, 3, stride=2, dims=dims), dims).double()
    features = torch.randn(1, 2, *SIZES[dims], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(made, (features,))
    made(features).sum().backward()
    assert all(parameter.grad is not None for parameter in made.parameters())


@pytest.mark.parametrize("block", BLOCKS)
def test_circular_padding_makes_a_block_follow_a_roll(block) -> None:
    made = used(block(2, 2, padding_mode="circular"), 2).double()
    features = torch.randn(1, 2, 6, 5, dtype=torch.float64)
    rolled = made(features.roll((2, 1), (2, 3)))
    assert torch.allclose(rolled, made(features).roll((2, 1), (2, 3)), atol=1e-12)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"stride": 0}, "stride 0 cannot be"),
        ({"inputs": -1}, "inputs -1 cannot be"),
        ({"outputs": 2.0}, "outputs 2.0 cannot be"),
        ({"dims": 4}, "dims=4 cannot be"),
        ({"padding_mode": "circle"}, "did you mean 'circular'"),
    ],
)
def test_arguments_that_cannot_be_are_refused(block, arguments, sentence) -> None:
    with pytest.raises(LayerError, match=sentence):
        block(**{"inputs": 2, "outputs": 2, **arguments})


@pytest.mark.parametrize("block", BLOCKS)
def test_inputs_that_do_not_fit_are_refused(block) -> None:
    with pytest.raises(ShapeError, match=f"{block.__name__} was made for 2 channels and got 3"):
        block(2, 2)(torch.zeros(1, 3, 4, 4))
    with pytest.raises(ShapeError, match="3 axes instead of 4"):
        block(2, 2)(torch.zeros(2, 4, 4))
