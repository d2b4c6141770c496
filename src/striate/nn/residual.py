"""Skip connections: around any body, and as the two blocks of the residual networks."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.nn.borders import check_padding_mode
from striate.nn.by_dims import BY_DIMS
from striate.nn.inputs import by, check_dims, check_features


@runtime_checkable
class AroundBranch(Protocol):
    """A block that adds what a branch makes of its input to what a skip passes on."""

    @property
    def branch_end(self) -> nn.Module | None:
        """The last layer of the branch, whose output is added; ``None`` where there is no skip."""


class Residual(nn.Module):
    """Add what a body makes of its input to the input itself: y = body(x) + skip(x).

    Args:
        body: any module that gives the shape of its input, or that of ``skip``.
        skip: what the input passes on its way around the body; ``None``: nothing, the identity.

    Raises:
        LayerError: where the first layer of either would change the input in place, which both need.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), section 3.2, without the
    activation after the sum.

    >>> import torch
    >>> Residual(nn.ReLU())(torch.tensor([-1.0, 2.0]))
    tensor([-1.,  4.])
    """

    def __init__(self, body: nn.Module, *, skip: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.skip = nn.Identity() if skip is None else skip
        for name, part in self.named_children():
            first = _first_layer(part)
            if getattr(first, "inplace", False):
                raise LayerError(
                    f"the {name} begins with {first}, which would change the input that both paths need; "
                    "inplace=False does not"
                )

    @property
    def branch_end(self) -> nn.Module:
        """The last layer of the branch: the body."""
        return self.body

    def forward(self, features: Tensor) -> Tensor:
        """Give body(x) + skip(x); a ShapeError says so where their shapes differ."""
        main: Tensor = self.body(features)
        skip: Tensor = self.skip(features)
        if main.shape != skip.shape:
            raise ShapeError(
                f"the body gives {by(main.shape)} and the skip {by(skip.shape)}, which cannot be added; "
                "skip= takes a module that gives the body's shape, such as a 1x1 convolution with its stride"
            )
        return main + skip


class ResidualBlock(nn.Module):
    """Two convolutions of 3, each with batch norm, and a skip around both: relu(body(x) + skip(x)).

    The skip is the identity where the shape stays, else a convolution of 1 with batch norm (the paper's
    option B). Parameters are called as in the published checkpoints: ``conv1``, ``bn1``, ``conv2``,
    ``bn2``, ``downsample.0``, ``downsample.1``.

    Args:
        inputs: channels of the input, at least 1.
        outputs: channels of the output, at least 1.
        stride: of the first convolution, at least 1.
        dims: spatial dimensions: 1, 2 or 3.
        padding_mode: of the convolutions: ``zeros``, ``circular``, ``reflect`` or ``replicate``.

    Raises:
        LayerError: where an argument is none of these.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), figure 5 left.

    >>> import torch
    >>> ResidualBlock(4, 8, stride=2)(torch.zeros(1, 4, 6, 6)).shape
    torch.Size([1, 8, 3, 3])
    """

    def __init__(
        self, inputs: int, outputs: int, *, stride: int = 1, dims: int = 2, padding_mode: str = "zeros"
    ) -> None:
        super().__init__()
        self.inputs, self.dims = inputs, dims
        layers = _Layers("ResidualBlock", dims, padding_mode)
        layers.check(inputs=inputs, outputs=outputs, stride=stride)
        self.conv1 = layers.convolution(inputs, outputs, 3, stride)
        self.bn1 = layers.norm(outputs)
        self.conv2 = layers.convolution(outputs, outputs, 3, 1)
        self.bn2 = layers.norm(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                layers.convolution(inputs, outputs, 1, stride), layers.norm(outputs)
            )

    @property
    def branch_end(self) -> nn.Module:
        """The last layer of the branch."""
        return self.bn2

    def forward(self, features: Tensor) -> Tensor:
        """Give N x outputs x spatial, each size divided by the stride and rounded up."""
        check_features(features, layer="ResidualBlock", dims=self.dims, channels=self.inputs)
        main = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(features)))))
        activated: Tensor = self.relu(main + self.downsample(features))
        return activated


class PreActivationBlock(nn.Module):
    """Norm and ReLU before each of two convolutions of 3, and a skip that nothing follows: body(x) + skip(x).

    The skip is the identity where the shape stays, else a convolution of 1 of the activated input.

    Args:
        inputs: channels of the input, at least 1.
        outputs: channels of the output, at least 1.
        stride: of the first convolution, at least 1.
        dims: spatial dimensions: 1, 2 or 3.
        padding_mode: of the convolutions: ``zeros``, ``circular``, ``reflect`` or ``replicate``.

    Raises:
        LayerError: where an argument is none of these.

    Source: He et al., Identity Mappings in Deep Residual Networks (2016), figure 1b; the activated input on
    a skip that changes shape is of the authors' code.

    >>> import torch
    >>> PreActivationBlock(4, 8, stride=2, dims=1)(torch.zeros(1, 4, 6)).shape
    torch.Size([1, 8, 3])
    """

    def __init__(
        self, inputs: int, outputs: int, *, stride: int = 1, dims: int = 2, padding_mode: str = "zeros"
    ) -> None:
        super().__init__()
        self.inputs, self.dims = inputs, dims
        layers = _Layers("PreActivationBlock", dims, padding_mode)
        layers.check(inputs=inputs, outputs=outputs, stride=stride)
        self.bn1 = layers.norm(inputs)
        self.conv1 = layers.convolution(inputs, outputs, 3, stride)
        self.bn2 = layers.norm(outputs)
        self.conv2 = layers.convolution(outputs, outputs, 3, 1)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = layers.convolution(inputs, outputs, 1, stride)

    @property
    def branch_end(self) -> nn.Module:
        """The last layer of the branch."""
        return self.conv2

    def forward(self, features: Tensor) -> Tensor:
        """Give N x outputs x spatial, each size divided by the stride and rounded up."""
        check_features(features, layer="PreActivationBlock", dims=self.dims, channels=self.inputs)
        activated = self.relu(self.bn1(features))
        skip = features if self.downsample is None else self.downsample(activated)
        main: Tensor = self.conv2(self.relu(self.bn2(self.conv1(activated))))
        return main + skip


class _Layers:
    """Makes the layers of a block, for its number of dimensions and its borders."""

    def __init__(self, block: str, dims: int, padding_mode: str) -> None:
        check_dims(dims, layer=block)
        check_padding_mode(padding_mode, layer=block)
        self._block, self._dims, self._padding_mode = block, dims, padding_mode

    def check(self, **numbers: int) -> None:
        for name, number in numbers.items():
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                raise LayerError(
                    f"{self._block}: {name} {number!r} cannot be; it is a whole number of at least 1"
                )

    def convolution(self, inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
        return BY_DIMS[self._dims].convolution(
            inputs,
            outputs,
            kernel,
            stride=stride,
            padding=kernel // 2,
            bias=False,
            padding_mode=self._padding_mode,
        )

    def norm(self, channels: int) -> nn.Module:
        return BY_DIMS[self._dims].norm(channels)


def _first_layer(module: nn.Module) -> nn.Module:
    while isinstance(module, nn.Sequential) and len(module):
        module = module[0]
    return module
