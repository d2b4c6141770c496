"""Random numbers by image: what an image gets does not depend on which others are in the batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from striate.core.seeds import derive

Key: TypeAlias = str | int | tuple[str | int, ...]
"""What numbers are for, such as ``"start"`` or ``("step", 3)``: the same key gives the same numbers again."""

_GAP = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


@dataclass(frozen=True, eq=False)
class Draws:
    """Draw random numbers from a seed for each image, by counting instead of by a state.

    The number at place j of image i under a key is splitmix64 of (seed i, key, j): a batch of one and a batch
    of many get the same, and leaving images out changes nothing for the others.

    Args:
        seeds: N int64; what is drawn lies on their device.

    Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators (2014), figure 17, with
    the constants of variant 13; every number is of its own counter.

    >>> draws = Draws(torch.tensor([1, 2]))
    >>> draws.uniform("start", (3,))[1].equal(Draws(torch.tensor([2])).uniform("start", (3,))[0])
    True
    """

    seeds: Tensor

    @classmethod
    def of(cls, generator: Generator | None, count: int, device: torch.device | None = None) -> Draws:
        """Draw a seed for each image.

        Args:
            generator: the source; ``None``: the same seeds each time.
            count: how many images.
            device: where numbers shall be drawn; by default the CPU.

        Returns:
            The draws of these images.

        >>> len(Draws.of(torch.Generator().manual_seed(0), 4))
        4
        """
        if generator is None:
            generator = Generator().manual_seed(derive(0, "attack"))
        # Below 2**62, since the width of the range must itself fit int64.
        seeds = torch.randint(2**62, (count,), generator=generator, device=generator.device)
        return cls(seeds.to(device or torch.device("cpu")))

    def __len__(self) -> int:
        return len(self.seeds)

    def rows(self, index: Tensor) -> Draws:
        """Give the draws of some of the images.

        Args:
            index: int64, which images; or N booleans.

        Returns:
            Draws that give these images what they got before.
        """
        return Draws(self.seeds[index])

    def derived(self, key: Key) -> Draws:
        """Give draws that are independent of these, such as for another restart.

        Args:
            key: what they are for.

        Returns:
            Draws of the same images.
        """
        return Draws(_mixed(self.seeds + _constant(key, "derived")))

    def uniform(self, key: Key, shape: Sequence[int]) -> Tensor:
        """Draw from [0, 1), evenly.

        Args:
            key: what for.
            shape: of what each image gets; ``()`` for one number.

        Returns:
            (N, *shape) float32, multiples of 2**-24.
        """
        return _logical_shift(self._bits(key, shape), 40).float() * 2.0**-24

    def normal(self, key: Key, shape: Sequence[int]) -> Tensor:
        """Draw from the standard normal distribution.

        Args:
            key: what for.
            shape: of what each image gets.

        Returns:
            (N, *shape) float32.

        Source: Box and Muller, A note on the generation of random normal deviates (1958), of one bit pattern
        for radius and angle.
        """
        bits = self._bits(key, shape)
        radius = (_logical_shift(bits, 32).double().add(1.0) * 2.0**-32).log().mul(-2.0).sqrt()
        angle = (bits & 0xFFFFFFFF).double() * (2.0**-32 * 2.0 * math.pi)
        return (radius * angle.cos()).float()

    def signs(self, key: Key, shape: Sequence[int]) -> Tensor:
        """Draw -1 or 1, evenly.

        Args:
            key: what for.
            shape: of what each image gets.

        Returns:
            (N, *shape) float32.
        """
        return 1.0 - 2.0 * _logical_shift(self._bits(key, shape), 63).float()

    def integers(self, key: Key, shape: Sequence[int], high: int | Tensor) -> Tensor:
        """Draw whole numbers from [0, high), evenly but for a share of high / 2**31.

        Args:
            key: what for.
            shape: of what each image gets.
            high: from 1 to 2**31; one for all, or what broadcasts to (N, *shape).

        Returns:
            (N, *shape) int64.
        """
        return (_logical_shift(self._bits(key, shape), 33) * high) >> 31

    def _bits(self, key: Key, shape: Sequence[int]) -> Tensor:
        places = torch.arange(1, math.prod(shape) + 1, device=self.seeds.device) * _signed(_GAP)
        streams = _mixed(self.seeds + _constant(key, "stream"))
        return _mixed(streams[:, None] + places).view(len(self.seeds), *shape)


def _mixed(values: Tensor) -> Tensor:
    """Spread every bit of int64 numbers over all others; sums and products wrap around."""
    values = (values ^ _logical_shift(values, 30)) * _signed(_FIRST)
    values = (values ^ _logical_shift(values, 27)) * _signed(_SECOND)
    return values ^ _logical_shift(values, 31)


def _logical_shift(values: Tensor, bits: int) -> Tensor:
    # torch shifts int64 with its sign.
    return (values >> bits) & ((1 << (64 - bits)) - 1)


def _constant(key: Key, kind: str) -> int:
    return derive(0, kind, *(key if isinstance(key, tuple) else (key,)))


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
