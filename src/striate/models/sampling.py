"""How a residual block samples its main path and its skip together: not at all, blurred, or by one choice."""

from __future__ import annotations

from torch import Tensor, nn

from striate.nn import BlurPool, PolyphaseSampling


class KeepBoth(nn.Module):
    """Leave both paths as they are: nothing is sampled here, or strides sampled already."""

    def forward(self, main: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        """Give both paths unchanged."""
        return main, skip


class BlurBoth(nn.Module):
    """Blur and sample each path by itself.

    Args:
        main: samples the main path.
        skip: samples the skip, which may have another number of channels.
    """

    def __init__(self, main: BlurPool, skip: BlurPool) -> None:
        super().__init__()
        self.main = main
        self.skip = skip

    def forward(self, main: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        """Give both paths, blurred and sampled."""
        return self.main(main), self.skip(skip)


class PolyphaseBoth(nn.Module):
    """Take the polyphase component with the largest norm of the main path, and the same one of the skip.

    Were each path to choose for itself, the two could be apart by a pixel when they are added.

    Args:
        polyphase: chooses and samples.

    Source: Chaman and Dokmanic, Truly Shift-Invariant Convolutional Neural Networks (2021), and their code.
    """

    def __init__(self, polyphase: PolyphaseSampling) -> None:
        super().__init__()
        self.polyphase = polyphase

    def forward(self, main: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        """Give the chosen component of both paths."""
        chosen = self.polyphase.choose(main)
        return self.polyphase(main, chosen), self.polyphase(skip, chosen)
