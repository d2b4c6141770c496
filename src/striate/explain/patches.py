"""Top patches: what excites each channel of a layer most, cut out of many images at the receptive field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.core.events import OnEvent, ignore
from striate.engine.borrowing import borrowed
from striate.explain.layers import observe, unwrapped
from striate.explain.receptive import LayerField, layer_field
from striate.explain.streaming import Images, Prepare, batches, class_labels, first_batch, stored
from striate.nn.inputs import by


@dataclass(frozen=True, kw_only=True, eq=False)
class TopPatches:
    """Where in many images each channel of a layer is highest; at most one place an image.

    Args:
        field: what the units of the layer see.
        total: images that were looked at.
        values: float32, channels x count, the highest first.
        images: int64, channels x count: the number of the image.
        positions: int64, channels x count x axes: the place in the layer's map.
        class_shares: float64, channels x classes: of the images of a row of ``images`` the share of each
            class; ``None`` without labels.
        all_shares: float64, classes: the share of each class among all images; ``None`` without labels.
    """

    field: LayerField
    total: int
    values: Tensor
    images: Tensor
    positions: Tensor
    class_shares: Tensor | None
    all_shares: Tensor | None

    @property
    def layer(self) -> str:
        """The layer's name."""
        return self.field.layer

    @property
    def count(self) -> int:
        """Patches of each channel."""
        return self.values.shape[1]

    def is_flat(self, channel: int) -> bool:
        """Tell whether a channel is as high in all of its patches, as a dead one is: they show nothing.

        Args:
            channel: from 0.

        Returns:
            Whether there are several patches and all have the same value.

        Raises:
            LayerError: where there is no such channel.
        """
        self.field.check_channel(channel)
        values = self.values[channel]
        return len(values) > 1 and bool((values == values[0]).all())

    def windows(self, channel: int) -> list[tuple[slice, ...]]:
        """Say which part of its image each patch of a channel is: what the unit sees, padding left out.

        Args:
            channel: from 0.

        Returns:
            For each patch one slice an axis.

        Raises:
            LayerError: where there is no such channel.
        """
        self.field.check_channel(channel)
        return [self.field.window(position) for position in self.positions[channel].tolist()]

    def cut(self, images: Images, channel: int) -> list[Tensor]:
        """Cut the patches of a channel out of the images; one at a border is smaller.

        Args:
            images: the same that were looked at.
            channel: from 0.

        Returns:
            The patches, C x spatial, of the images' type.

        Raises:
            LayerError: where there is no such channel.
            ShapeError: where these are not as many images, or of another size.
        """
        if len(images) != self.total or tuple(images.shape[2:]) != self.field.image:
            raise ShapeError(
                f"the patches are of {self.total} images of {by(self.field.image)}, and these are "
                f"{len(images)} of {by(images.shape[2:])}"
            )
        windows = self.windows(channel)
        whole = stored(images, self.images[channel].tolist())
        return [each[:, *window] for each, window in zip(whole, windows, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON can hold it.

        Returns:
            The field, and a list of patches and the shares of classes for each channel.
        """
        shares = None if self.class_shares is None else self.class_shares.tolist()
        return {
            "field": self.field.to_dict(),
            "images": self.total,
            "all_shares": None if self.all_shares is None else self.all_shares.tolist(),
            "channels": [
                {
                    "channel": channel,
                    "flat": self.is_flat(channel),
                    "values": self.values[channel].tolist(),
                    "images": self.images[channel].tolist(),
                    "positions": self.positions[channel].tolist(),
                    "class_shares": None if shares is None else shares[channel],
                }
                for channel in range(self.field.channels)
            ],
        }


def top_patches(
    network: nn.Module,
    images: Images,
    layer: str,
    *,
    count: int = 9,
    labels: Tensor | NDArray[Any] | None = None,
    prepare: Prepare | None = None,
    batch: int | None = None,
    on_event: OnEvent = ignore,
) -> TopPatches:
    """Find the patches of many images that excite each channel of a layer most, in one pass over them.

    Of each image only the highest place of a channel counts, so that one image does not fill the list; where
    values tie, the earlier image stands first. The memory that is needed does not grow with the images.

    Args:
        network: any module, in whichever precision it computes, also under an autocast of the caller; it is
            left as it was.
        images: N x C x spatial, uint8 or floating point, perhaps a memory map.
        layer: a name as in ``named_modules()``; its output must be a map.
        count: patches of each channel, at least 1; all images where there are fewer.
        labels: (N) classes of the images, from 0.
        prepare: turns stored images into what the network takes, of the same size; ``None`` makes uint8
            numbers in [0, 1] and leaves the rest.
        batch: images computed at once; ``None`` chooses by their size.
        on_event: is given the progress.

    Returns:
        The patches of all channels.

    Raises:
        LayerError: for an unknown layer, one whose output is no map or not finite, a count or batch under 1,
            or images of a wrong type.
        ShapeError: where the images or labels do not fit.

    >>> network = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False))
    >>> nn.init.constant_(network[0].weight, 1.0)[0].shape
    torch.Size([1, 1, 1])
    >>> images = torch.zeros(3, 1, 4, 4)
    >>> images[1, 0, 2, 3] = 5.0
    >>> found = top_patches(network, images, "0", count=1)
    >>> found.values.tolist(), found.images.tolist(), found.positions.tolist()
    ([[5.0], [5.0]], [[1], [1]], [[[2, 3]], [[2, 3]]])
    """
    network = unwrapped(network)
    if count < 1:
        raise LayerError(f"{count} patches of each channel cannot be found; 1 and more can")
    one = first_batch(images, prepare)
    if one.shape[2:] != tuple(images.shape[2:]):
        raise ShapeError(
            f"prepare makes images of {by(images.shape[2:])} into {by(one.shape[2:])}, so that patches could "
            "not be cut out of them; bring them to that size before"
        )
    classes = None if labels is None else class_labels(labels, len(images))
    field = layer_field(network, one, layer)
    best = _Best(min(count, len(images)), field)

    def see(name: str, given: Tensor | None, maps: Tensor) -> None:
        del name, given
        best.add(maps)

    what = f"top patches of {layer}"
    with borrowed(network):
        for part in batches(images, prepare=prepare, batch=batch, what=what, on_event=on_event):
            observe(network, part, [layer], see)
    return best.found(len(images), classes)


class _Best:
    """The highest values so far of each channel, at most one an image."""

    def __init__(self, count: int, field: LayerField) -> None:
        self._count, self._field, self._seen = count, field, 0
        self._values = torch.empty(0, field.channels, dtype=torch.float32)
        self._images = torch.empty(0, field.channels, dtype=torch.long)
        self._places = torch.empty(0, field.channels, dtype=torch.long)

    def add(self, maps: Tensor) -> None:
        values, places = (each.cpu() for each in maps.flatten(2).max(dim=2))
        values = values.float()
        if not torch.isfinite(values).all():
            raise LayerError(
                f"layer '{self._field.layer}' gives inf or NaN for an image among {self._seen} to "
                f"{self._seen + len(maps) - 1}; its highest places cannot be told"
            )
        numbers = torch.arange(self._seen, self._seen + len(maps))[:, None].expand_as(places)
        self._seen += len(maps)
        merged, order = torch.cat([self._values, values]).sort(dim=0, descending=True, stable=True)
        order = order[: self._count]
        self._values = merged[: self._count]
        self._images = torch.cat([self._images, numbers]).gather(0, order)
        self._places = torch.cat([self._places, places]).gather(0, order)

    def found(self, total: int, classes: Tensor | None) -> TopPatches:
        images = self._images.T.contiguous()
        shares = everywhere = None
        if classes is not None:
            counts = classes.bincount()
            everywhere = counts.double() / total
            shares = nn.functional.one_hot(classes[images], len(counts)).double().mean(dim=1)
        return TopPatches(
            field=self._field,
            total=total,
            values=self._values.T.contiguous(),
            images=images,
            positions=torch.stack(torch.unravel_index(self._places.T, self._field.size), dim=-1),
            class_shares=shares,
            all_shares=everywhere,
        )
