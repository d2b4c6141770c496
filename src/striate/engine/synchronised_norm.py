"""Batch normalisation over the images of all processes, so that its figures are those of the whole batch."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from striate.engine.world import World


def synchronise_norms(network: nn.Module, world: World, *, device: str) -> None:
    """Let all batch norms of a network take their mean and variance over all processes, in place.

    On GPUs torch's own synchronised norm takes their place; that one refuses tensors of a CPU. Parameters,
    buffers and their names stay, and so does everything in a world of one.

    Args:
        network: on its device.
        world: whose processes take part.
        device: ``cpu`` or ``cuda:N``.
    """
    if world.size == 1:
        return
    for name, child in network.named_children():
        if not isinstance(child, _BatchNorm):
            synchronise_norms(child, world, device=device)
        elif device.startswith("cuda"):
            setattr(network, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))  # type: ignore[no-untyped-call]
        else:
            setattr(network, name, SynchronisedNorm(child, world))


class SynchronisedNorm(_BatchNorm):
    """A batch norm whose batch is that of all processes; at inference the norm that it was.

    Args:
        norm: what it takes the place of, and shares parameters and buffers with.
        world: whose processes take part; each may have another number of images, or none.
    """

    def __init__(self, norm: _BatchNorm, world: World) -> None:
        super().__init__(
            norm.num_features,
            norm.eps,
            norm.momentum,
            norm.affine,
            norm.track_running_stats,
            device="meta",
        )
        self._parameters = norm._parameters
        self._buffers = norm._buffers
        self.training = norm.training
        self._world = world

    def forward(self, input: Tensor) -> Tensor:
        """Normalise features, N x C or N x C x any, over all but their channels."""
        if not self.training:
            return super().forward(input)
        momentum = self.momentum or 0.0
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # running figures are the mean over all batches
                momentum = 1 / int(self.num_batches_tracked)
        running = (self.running_mean, self.running_var)
        normalised: Tensor = _Normalise.apply(
            input, self.weight, self.bias, running, (momentum, self.eps), self._world
        )  # type: ignore[no-untyped-call]
        return normalised

    def _check_input_dim(self, input: Tensor) -> None:
        """Take any number of dimensions; the norm that this one stands for was made for those it gets."""


class _Normalise(torch.autograd.Function):
    """``y = w (x - m) / sqrt(v + e) + b`` with mean and variance over all processes, and its gradients.

    With ``x^ = (x - m) / sqrt(v + e)`` and means over the whole batch,
    ``dx = w / sqrt(v + e) (dy - mean(dy) - x^ mean(dy x^))``. Gradients of ``w`` and ``b`` are this process's
    own, as those of all parameters are until they are added up.

    Source: Ioffe and Szegedy, Batch Normalization (2015), section 3.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running: tuple[Tensor | None, Tensor | None],
        constants: tuple[float, float],
        world: World,
    ) -> Tensor:
        momentum, eps = constants
        mean, variance, count = _moments(x, world)
        if running[0] is not None and running[1] is not None:
            running[0].lerp_(mean, momentum)
            running[1].lerp_(variance * (count / max(count - 1, 1)), momentum)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps, ctx.count, ctx.world = eps, count, world
        if not x.numel():
            return torch.empty_like(x)
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (dy,) = gradients
        x, weight, mean, variance = ctx.saved_tensors
        channels = x.shape[1]
        if x.numel():
            # As at inference, where mean and variance are constants: what depends on them follows.
            dx, dweight, dbias = torch.ops.aten.native_batch_norm_backward(
                dy, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
            )
        else:
            dx, dweight, dbias = dy, mean.new_zeros(channels), mean.new_zeros(channels)
        sums = torch.stack([dbias, dweight]).double()
        ctx.world.add_up(sums)
        if x.numel():
            scale = torch.rsqrt(variance + ctx.eps) * (1 if weight is None else weight)
            mean_dy, mean_dyx = (sums / ctx.count).to(mean.dtype)
            # scale (mean(dy) + x^ mean(dy x^)) is a norm of x with other parameters.
            dx -= F.batch_norm(
                x, mean, variance, scale * mean_dyx, scale * mean_dy, training=False, eps=ctx.eps
            )
        wanted = ctx.needs_input_grad
        return dx, dweight if wanted[1] else None, dbias if wanted[2] else None, None, None, None


def _moments(x: Tensor, world: World) -> tuple[Tensor, Tensor, float]:
    """Mean and biased variance of each channel over all processes, and how many values each channel has."""
    channels = x.shape[1]
    count = x.numel() // channels
    exact = torch.promote_types(x.dtype, torch.float32)
    # In double precision the difference of the mean square and the squared mean loses nothing that counts.
    figures = x.new_zeros(2 * channels + 1, dtype=torch.float64)
    if count:
        # The running figures are of no use here, but their type is that of the result.
        scratch = x.new_zeros(channels, dtype=exact), x.new_ones(channels, dtype=exact)
        mean, variance = (each.double() for each in torch.batch_norm_update_stats(x, *scratch, 0.0))
        figures[:channels] = count * mean
        figures[channels:-1] = count * (variance + mean * mean)
        figures[-1] = count
    world.add_up(figures)
    total = float(figures[-1])
    mean, square = figures[:channels] / total, figures[channels:-1] / total
    return mean.to(exact), (square - mean * mean).clamp_(min=0).to(exact), total
