"""Pictures as sums of waves, the longer the stronger, in colours that vary as those of given images do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

_DARKEST = 0.02  # what a mean level is kept from 0 and 1, where a sigmoid has no slope
_SAMPLE_PIXELS = 2**22


@dataclass(frozen=True, eq=False)
class Palette:
    """What the channels of pictures are made of.

    Args:
        mixing: C x C: what uncorrelated channels are multiplied by to vary together as those of images do;
            its longest column has the length 1.
        level: C x 1 x 1, what is added before the sigmoid: where there are no waves, the picture is its mean.
    """

    mixing: Tensor
    level: Tensor


def plain_palette(channels: int) -> Palette:
    """Give the palette where no images are known: each channel by itself around a middle grey.

    Args:
        channels: how many.

    Returns:
        The palette.

    >>> plain_palette(3).mixing.diagonal()
    tensor([1., 1., 1.])
    """
    return Palette(torch.eye(channels), torch.zeros(channels, 1, 1))


def palette_of(images: Tensor) -> Palette:
    """Measure how the channels of images vary together: the symmetric root of their covariance over pixels.

    Args:
        images: in [0, 1], N x C x H x W; some millions of their values are used.

    Returns:
        The palette.

    >>> palette = palette_of(torch.rand(4, 1, 8, 8).expand(-1, 3, -1, -1))
    >>> bool((palette.mixing - palette.mixing[0, 0]).abs().max() < 1e-3)  # three channels that are one
    True
    """
    step = math.ceil(images.numel() / _SAMPLE_PIXELS)
    channels = images.shape[1]
    pixels = images[::step].detach().cpu().transpose(0, 1).reshape(channels, -1).double()
    mean = pixels.mean(dim=1, keepdim=True)
    centred = pixels - mean
    values, vectors = torch.linalg.eigh(centred @ centred.T / centred.shape[1])
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    longest = root.norm(dim=0).max()
    mixing = root / longest if longest > 1e-6 else torch.eye(channels, dtype=root.dtype)
    level = torch.logit(mean.clamp(_DARKEST, 1 - _DARKEST))[:, :, None]
    return Palette(mixing.float(), level.float())


class Waves:
    """Pictures of one size, given by the amplitudes of their waves.

    A picture is ``sigmoid(mixing F(a / f) + level)``: the inverse Fourier transform F of amplitudes a (real
    and imaginary parts), each divided by its frequency f, at least by 1 wave a picture, and scaled so that
    amplitudes of variance 1/2 give values of about variance 1. Steps of gradient ascent on a then change
    what is wide before what is fine, and pictures come out without the noise of single pixels.

    Args:
        shape: C x H x W.
        palette: what the channels are made of.
        device: where to compute.

    Source: Olah, Mordvintsev and Schubert, Feature visualization (Distill, 2017), on preconditioning.

    >>> waves = Waves((3, 16, 16), plain_palette(3), torch.device("cpu"))
    >>> waves.pictures(waves.noise(2, 0.0, Generator()))[0, 0, 0, 0].item()
    0.5
    """

    def __init__(self, shape: tuple[int, int, int], palette: Palette, device: torch.device) -> None:
        channels, self.height, self.width = shape
        down, across = torch.fft.fftfreq(self.height), torch.fft.fftfreq(self.width)
        half = self.width // 2 + 1
        slowest = 1 / max(self.height, self.width)
        weights = 1 / torch.hypot(down[:, None], across).clamp(min=slowest)
        weights = weights / weights.square().mean().sqrt()
        self._weights = weights[:, :half, None].to(device)
        self._mixing, self._level = palette.mixing.to(device), palette.level.to(device)
        self._shape = (channels, self.height, half, 2)
        self._device = device

    def noise(self, count: int, amplitude: float, generator: Generator) -> Tensor:
        """Draw random amplitudes.

        Args:
            count: of pictures.
            amplitude: the deviation of the values before colours are mixed.
            generator: of the numbers.

        Returns:
            count x C x H x waves x 2, for `pictures`.
        """
        drawn = torch.randn((count, *self._shape), generator=generator, device=generator.device)
        return drawn.to(self._device) * (amplitude / math.sqrt(2))

    def pictures(self, amplitudes: Tensor) -> Tensor:
        """Make the pictures of amplitudes.

        Args:
            amplitudes: N x C x H x waves x 2.

        Returns:
            N x C x H x W in (0, 1).
        """
        spectrum = torch.view_as_complex((amplitudes * self._weights).contiguous())
        values = torch.fft.irfft2(spectrum, s=(self.height, self.width), norm="ortho")
        return torch.sigmoid(torch.einsum("ij,njhw->nihw", self._mixing, values) + self._level)


def wobbled(images: Tensor, generator: Generator, *, shift: float, degrees: float, zoom: float) -> Tensor:
    """Shift, turn and scale each image a little at random, bilinearly; beyond the border it is mirrored.

    What excites a unit only at one exact place, such as a pattern of single pixels, does not survive this.

    Args:
        images: N x C x H x W.
        generator: of the changes.
        shift: by up to so many pixels along both axes.
        degrees: turned by up to so many, either way.
        zoom: scaled by 1 plus or minus up to this.

    Returns:
        Images of the same shape.

    >>> image = torch.rand(1, 1, 8, 8)
    >>> torch.allclose(wobbled(image, Generator(), shift=0, degrees=0, zoom=0), image, atol=1e-5)
    True
    """
    count, _, height, width = images.shape
    drawn = torch.rand((4, count), generator=generator, device=generator.device).to(images.device) * 2 - 1
    angle, scale = drawn[0] * math.radians(degrees), 1 + drawn[1] * zoom
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    # Along each axis the image goes from -1 to 1, whatever its sides.
    rows = [
        torch.stack([cosine, -sine * height / width, 2 * shift * drawn[2] / width], dim=1),
        torch.stack([sine * width / height, cosine, 2 * shift * drawn[3] / height], dim=1),
    ]
    grid = torch.nn.functional.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    return torch.nn.functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
