"""The plain twins of the residual networks for small images: the same layers, without skips."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from striate.models.cifar_resnet import CifarNetwork
from striate.models.layers import Layers


class PlainBlock(nn.Module):
    """Two 3x3 convolutions, and no skip around them.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        stride: of the first convolution.
        layers: what it is built from.
        norm: whether batch normalisation follows each convolution; where none does, these have biases.
        activation: makes the non-linearity.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        stride: int,
        layers: Layers,
        norm: bool,
        activation: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        self.conv1 = layers.convolution(inputs, outputs, 3, stride=stride, padding=1, bias=not norm)
        self.bn1 = layers.norm(outputs) if norm else nn.Identity()
        self.activation1 = activation()
        self.sampling = layers.sampling(outputs, stride)
        self.conv2 = layers.convolution(outputs, outputs, 3, padding=1, bias=not norm)
        self.bn2 = layers.norm(outputs) if norm else nn.Identity()
        self.activation2 = activation()

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block to N x C x spatial features."""
        features = self.sampling(self.activation1(self.bn1(self.conv1(images))))
        activated: Tensor = self.activation2(self.bn2(self.conv2(features)))
        return activated


def plain20(
    *,
    classes: int = 10,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    norm: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Module:
    """Build the plain network of 20 layers for small images.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        downsample: ``stride``, ``blur`` or ``polyphase``, as `striate.models.layers` says.
        padding_mode: ``zeros`` or ``circular``.
        dims: 1 (signals), 2 (images) or 3 (volumes, video).
        norm: whether batch normalisation follows each convolution; where none does, these have biases.
        activation: makes each non-linearity.

    Returns:
        The network; with the defaults it has 269,722 parameters, named as those of `resnet20`.

    Raises:
        LayerError: where an argument is none of these.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), section 4.2.

    >>> import torch
    >>> plain20()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return CifarNetwork(
        PlainBlock, 20, classes=classes, channels=channels, layers=layers, norm=norm, activation=activation
    )


def plain32(
    *,
    classes: int = 10,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    norm: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Module:
    """Build the plain network of 32 layers for small images.

    Args:
        classes, channels, downsample, padding_mode, dims, norm, activation: as for `plain20`.

    Returns:
        The network; with the defaults it has 464,154 parameters, named as those of `resnet32`.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), section 4.2.

    >>> import torch
    >>> with torch.device("meta"):
    ...     len(plain32().layer1)
    5
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return CifarNetwork(
        PlainBlock, 32, classes=classes, channels=channels, layers=layers, norm=norm, activation=activation
    )


def plain44(
    *,
    classes: int = 10,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    norm: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Module:
    """Build the plain network of 44 layers for small images.

    Args:
        classes, channels, downsample, padding_mode, dims, norm, activation: as for `plain20`.

    Returns:
        The network; with the defaults it has 658,586 parameters, named as those of `resnet44`.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), section 4.2.

    >>> import torch
    >>> with torch.device("meta"):
    ...     len(plain44().layer1)
    7
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return CifarNetwork(
        PlainBlock, 44, classes=classes, channels=channels, layers=layers, norm=norm, activation=activation
    )


def plain56(
    *,
    classes: int = 10,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    norm: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Module:
    """Build the plain network of 56 layers for small images.

    Args:
        classes, channels, downsample, padding_mode, dims, norm, activation: as for `plain20`.

    Returns:
        The network; with the defaults it has 853,018 parameters, named as those of `resnet56`.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), section 4.2.

    >>> import torch
    >>> with torch.device("meta"):
    ...     len(plain56().layer1)
    9
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return CifarNetwork(
        PlainBlock, 56, classes=classes, channels=channels, layers=layers, norm=norm, activation=activation
    )


def plain110(
    *,
    classes: int = 10,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    norm: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Module:
    """Build the plain network of 110 layers for small images.

    Args:
        classes, channels, downsample, padding_mode, dims, norm, activation: as for `plain20`.

    Returns:
        The network; with the defaults it has 1,727,962 parameters, named as those of `resnet110`.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), section 4.2.

    >>> import torch
    >>> with torch.device("meta"):
    ...     len(plain110().layer1)
    18
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return CifarNetwork(
        PlainBlock, 110, classes=classes, channels=channels, layers=layers, norm=norm, activation=activation
    )
