"""Gradients added up over all processes, while the backward pass still computes those of earlier layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from striate.engine.world import World

BUCKET_BYTES = 4 * 2**20
"""How much is added up at once: enough that its latency does not count, and little enough to begin early."""


@dataclass
class _Bucket:
    """Some parameters, and one tensor that takes the gradients of all of them."""

    parameters: list[Tensor]
    flat: Tensor = field(init=False)
    places: list[Tensor] = field(init=False)
    missing: int = field(init=False)
    wait: Callable[[], None] = field(init=False)

    def __post_init__(self) -> None:
        counts = [parameter.numel() for parameter in self.parameters]
        self.flat = self.parameters[0].new_empty(sum(counts), requires_grad=False)
        self.places = [
            part.view(parameter.shape)
            for part, parameter in zip(torch.split(self.flat, counts), self.parameters, strict=True)
        ]
        self.missing = len(self.parameters)


class SummedGradients:
    """Adds up the gradients of parameters over all processes of a world.

    As soon as backward has the gradients of a bucket of parameters, and of all buckets before it, these
    travel while it computes the next. The buckets do not change, so that sums are rounded alike
    in every step, also after a training was resumed. In a world of one nothing is done.

    Args:
        parameters: in the order in which the network computes with them.
        world: whose gradients are added up; every process must compute the same parameters' gradients.

    >>> weight = torch.ones(2, requires_grad=True)
    >>> gradients = SummedGradients([weight], World())
    >>> weight.sum().backward()
    >>> gradients.collect()
    >>> weight.grad
    tensor([1., 1.])
    """

    def __init__(self, parameters: Iterable[Tensor], world: World) -> None:
        self._world = world
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        # Backward comes from the last layer.
        found = _grouped(reversed(trained)) if world.size > 1 else iter(())
        self._buckets = [_Bucket(parameters) for parameters in found]
        self._begun = 0
        self._home = {id(parameter): bucket for bucket in self._buckets for parameter in bucket.parameters}
        for bucket in self._buckets:
            for parameter in bucket.parameters:
                parameter.register_post_accumulate_grad_hook(self._note)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def collect(self) -> None:
        """Wait for the sums after a backward pass, and set every gradient to its own."""
        for bucket in self._buckets[self._begun :]:  # with parameters that backward did not come to
            self._begin(bucket)
        for bucket in self._buckets:
            bucket.wait()
            for parameter, place in zip(bucket.parameters, bucket.places, strict=True):
                if parameter.grad is not None:
                    parameter.grad.copy_(place)
            bucket.missing = len(bucket.parameters)
        self._begun = 0

    def _note(self, parameter: Tensor) -> None:
        self._home[id(parameter)].missing -= 1
        # In their order, which must be the same in every process.
        while self._begun < len(self._buckets) and self._buckets[self._begun].missing == 0:
            self._begin(self._buckets[self._begun])
            self._begun += 1

    def _begin(self, bucket: _Bucket) -> None:
        for parameter, place in zip(bucket.parameters, bucket.places, strict=True):
            if parameter.grad is None:
                place.zero_()
            else:
                place.copy_(parameter.grad)
        bucket.wait = self._world.start_adding(bucket.flat)


def _grouped(parameters: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    group: list[Tensor] = []
    size = 0
    for parameter in parameters:
        kind = (parameter.dtype, parameter.device)
        if group and (size >= BUCKET_BYTES or kind != (group[0].dtype, group[0].device)):
            yield group
            group, size = [], 0
        group.append(parameter)
        size += parameter.numel() * parameter.element_size()
    if group:
        yield group
