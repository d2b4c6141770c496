"""The features of images: what a trained network computes of them before its head, without gradients."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from striate.classifier.batches import images_at_a_time
from striate.classifier.pretrained import find_pretrained, head_of, load_backbone
from striate.classifier.views import views
from striate.core.device import Policy, choose_policy
from striate.core.events import OnEvent, ignore
from striate.data.batches import as_numbers
from striate.data.progress import Progress
from striate.models import build
from striate.nn.convolution import Conv
from striate.nn.folding import fold_norms

if TYPE_CHECKING:
    from striate.data.stored import Images


class Backbone:
    """A network without its head, made ready to compute fast: norms folded, filters in its precision.

    Args:
        network: ends with a dense layer, whose input is what is wanted; a copy is made of it as it is now.
        mean: per channel, of images in [0, 1]; subtracted.
        std: per channel, of images in [0, 1]; divided by.
        size: height and width in pixels of the images that it is made for; of series and volumes their axes.
        policy: where and how to compute; ``None`` chooses.

    Raises:
        LayerError: where the network has no dense layer.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        size: tuple[int, ...],
        policy: Policy | None = None,
    ) -> None:
        self.policy = policy or choose_policy()
        self.size = size
        self.channels = len(mean)
        self._network = copy.deepcopy(network).to(self.policy.device).eval()
        for_each_channel = (1, -1, *(1 for _ in size))
        self._mean = torch.tensor(mean, device=self.policy.device).view(for_each_channel)
        self._std = torch.tensor(std, device=self.policy.device).view(for_each_channel)
        _, self._head = head_of(self._network)
        self._seen: list[Tensor] = []
        self._head.register_forward_pre_hook(self._keep)
        self._make_ready()

    @property
    def width(self) -> int:
        """How many features an image has."""
        return self._head.in_features

    def features(
        self, images: Images | Tensor, *, mirrored: bool = False, shifted: int = 0, on_event: OnEvent = ignore
    ) -> Tensor:
        """Compute the features of images.

        Args:
            images: N x C x H x W, uint8, in memory or on the disk; of series and volumes N x C x spatial.
            mirrored, shifted: the views of each image, as in `Preprocessing`, over which features are a mean.
            on_event: is told of the progress.

        Returns:
            N x D, float32 on the CPU.

        >>> backbone = open_backbone("efficientnet-lite0", device="cpu")
        >>> backbone.features(np.zeros((2, 3, 64, 64), np.uint8)).shape
        torch.Size([2, 1280])
        """
        progress = Progress(on_event, "computing features", len(images), "images")
        batch = images_at_a_time(self.policy, tuple(images.shape[2:]), channels=self.channels)
        found = torch.empty(len(images), self.width)
        with torch.no_grad(), self.policy.autocast():
            for start in range(0, len(images), batch):
                block = images[start : start + batch]
                # An array is copied: a read-only memory map cannot be a tensor.
                pixels = block if isinstance(block, Tensor) else torch.from_numpy(np.array(block))
                pixels = pixels.to(self.policy.device)
                seen = views(self._normalised(pixels), mirrored=mirrored, shifted=shifted)
                found[start : start + batch] = sum(share * self._of(view) for share, view in seen)
                progress.advance(len(block))
        progress.finish()
        return found

    def _of(self, view: Tensor) -> Tensor:
        self._network(view.contiguous(memory_format=self.policy.memory_format_of(len(self.size))))
        return self._seen.pop().float().cpu()

    def _keep(self, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        self._seen.append(given[0])

    def _normalised(self, pixels: Tensor) -> Tensor:
        kind = torch.bfloat16 if self.policy.precision == "bfloat16" else torch.float32
        scaled = (as_numbers(pixels) - self._mean) / self._std
        return scaled.to(kind)

    def _make_ready(self) -> None:
        blank = torch.zeros(1, self.channels, *self.size, device=self.policy.device)
        fold_norms(self._network, blank)
        self._seen.clear()
        if self.policy.precision == "bfloat16":
            for part in self._network.modules():
                if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Conv3d | Conv | nn.Linear):
                    part.to(torch.bfloat16)
        if self.policy.channels_last and len(self.size) > 1:
            self._network.to(memory_format=self.policy.memory_format_of(len(self.size)))  # type: ignore[call-overload]


def open_backbone(name: str, *, device: str | None = None, on_event: OnEvent = ignore) -> Backbone:
    """Make a backbone of published weights, or of a run or model file.

    Args:
        name: as for `find_pretrained`.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        on_event: is told of the progress where weights are fetched.

    Returns:
        The backbone.

    Raises:
        ModelFileError: where there are no such weights, or they do not say what images they take.

    >>> open_backbone("efficientnet-lite0", device="cpu").size
    (224, 224)
    """
    found = find_pretrained(name)
    channels, size = found.channels or 3, found.size or (224, 224)
    with torch.random.fork_rng(devices=[]):
        options = {} if found.layers is None else {"layers": found.layers}
        network = build(found.model, classes=2, channels=channels, size=size, **options)
    load_backbone(network, found.tensors(on_event=on_event), name=name, model=found.model)
    mean, std = found.mean or (0.5,) * channels, found.std or (0.5,) * channels
    return Backbone(network, mean=mean, std=std, size=size, policy=choose_policy(device))
