"""The locally connected layer: a convolution whose weights are not shared, but differ at every position."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

import striate.nn.local_products  # noqa: F401 - its operators multiply
from striate.core.errors import LayerError, ShapeError
from striate.geometry import Window, each_axis, output_size
from striate.nn.inputs import by, check_dims, check_features
from striate.nn.slicing import stacked


class LocallyConnected(nn.Module):
    """Weigh the window at each position by weights of its own.

    ``V(x, y) = b(x, y) + sum_c sum_m sum_n I_c(Sx + m - P, Sy + n - P) K_xy,c(m, n)``, where I is 0 outside
    of the image. ``weight`` is positions x kernel x inputs x outputs, so that the weights of a position are
    one matrix; ``bias`` is outputs x positions. Both are initialised as torch's convolutions. Neither
    direction writes all windows out: positions are taken a line at a time.

    Args:
        inputs: channels of the images.
        outputs: filters at each position.
        size: the images' spatial size, one number or one an axis.
        kernel: elements of a filter, one number or one an axis.
        dims: spatial dimensions: 1, 2 or 3.
        stride: S, from one window to the next.
        padding: P, zeros on either side.

    Raises:
        LayerError: for other dims or no channels.
        ShapeError: where a number is out of range or the kernel larger than the padded size, and later for
            images of another size.

    Source: LeCun, Generalization and network design strategies (1989), Net-3.

    >>> layer = LocallyConnected(1, 16, size=28, kernel=5, stride=2)
    >>> layer.weight.shape, layer(torch.zeros(2, 1, 28, 28)).shape
    (torch.Size([12, 12, 5, 5, 1, 16]), torch.Size([2, 16, 12, 12]))
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        size: int | Sequence[int],
        kernel: int | Sequence[int],
        dims: int = 2,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
    ) -> None:
        super().__init__()
        check_dims(dims, layer="LocallyConnected")
        for name, count in (("inputs", inputs), ("outputs", outputs)):
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise LayerError(
                    f"{name} of LocallyConnected is {count!r}, where a whole number of at least 1 is wanted"
                )
        self.inputs, self.outputs, self.dims = inputs, outputs, dims
        self.size = each_axis(size, dims=dims, name="size")
        self.kernel = each_axis(kernel, dims=dims, name="kernel")
        self.stride = each_axis(stride, dims=dims, name="stride")
        self.padding = each_axis(padding, dims=dims, name="padding")
        self.windows = tuple(
            Window(kernel=elements, stride=step, before=padded, after=padded)
            for elements, step, padded in zip(self.kernel, self.stride, self.padding, strict=True)
        )
        self.positions = tuple(map(output_size, self.size, self.windows))
        self.weight = nn.Parameter(torch.empty(*self.positions, *self.kernel, inputs, outputs))
        self.bias: nn.Parameter | None = nn.Parameter(torch.empty(outputs, *self.positions))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew: uniform up to 1/sqrt(values that a filter sees), as torch does."""
        bound = (prod(self.kernel) * self.inputs) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, images: Tensor) -> Tensor:
        """Weigh N x inputs x size images to N x outputs x positions."""
        check_features(images, layer="LocallyConnected", dims=self.dims, channels=self.inputs)
        if tuple(images.shape[2:]) != self.size:
            raise ShapeError(
                f"LocallyConnected has weights for images of {by(self.size)}, and got {by(images.shape[2:])}"
            )
        weight: Tensor = self.weight
        bias: Tensor | None = self.bias
        kind = images.device.type
        if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
            images, weight = images.to(dtype), weight.to(dtype)
            bias = None if bias is None else bias.to(dtype)
        products: Tensor
        if torch.compiler.is_exporting():
            products = self._at_once(images, weight)
        else:
            products = torch.ops.striate.local_products(images, weight, self.stride, self.padding)
        return products if bias is None else products.add_(bias)

    def windows_on(self, size: tuple[int, ...]) -> tuple[Window, ...]:
        """Say how the windows lie on an input.

        Args:
            size: its spatial size, the one that there are weights for.

        Returns:
            One an axis.

        Raises:
            ShapeError: for any other size.
        """
        if tuple(size) != self.size:
            raise ShapeError(
                f"LocallyConnected has weights for images of {by(self.size)}, and got {by(size)}"
            )
        return self.windows

    def multiply_adds_on(self, size: tuple[int, ...]) -> int:  # noqa: ARG002
        """Count products of weights and values for one image.

        Args:
            size: of the input, the one that there are weights for.

        Returns:
            As many as there are weights: each meets one value.
        """
        return self.weight.numel()

    def extra_repr(self) -> str:
        """Say how the layer was made.

        Returns:
            The arguments, as they are written.
        """
        return (
            f"{self.inputs}, {self.outputs}, size={self.size}, kernel={self.kernel}, stride={self.stride}, "
            f"padding={self.padding}"
        )

    def _at_once(self, images: Tensor, weight: Tensor) -> Tensor:
        elements = stacked(images, self.windows, self.positions, fill=0.0).flatten(3)
        matrices = weight.flatten(0, self.dims - 1).flatten(1, self.dims)
        products = torch.einsum("kncp,pkco->nop", elements, matrices)
        return products.reshape(-1, self.outputs, *self.positions)
