"""The units page: what excites each channel of a layer, and what its network makes of images, as one file."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.core.errors import LayerError, StriateError
from striate.core.events import OnEvent, ignore
from striate.core.files import write_text
from striate.explain.features import features
from striate.explain.filters import first_filters
from striate.explain.maps import all_feature_maps, feature_maps
from striate.explain.patches import TopPatches, top_patches
from striate.explain.probes import probe_layers
from striate.explain.projection import principal_components
from striate.explain.receptive import layer_field
from striate.explain.streaming import Images, Prepare, as_given, class_labels, stored
from striate.explain.units import Unit, convolution_before, explain_unit
from striate.nn.inputs import by

MOST_CHANNELS = 128
"""Of so many channels at most the patches are on the page, those of the highest values."""

MOST_POINTS = 4000
"""So many images at most are laid out in the plane and used for the probes, evenly chosen."""

_PATCH = 64  # pixels of a patch's longer side at most
_GAP = 3

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff; max-width: 72rem;
       margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem;
     border-top: 1px solid #ddd; padding-top: 1rem; }
h3 { font-size: .95rem; margin: 0 0 .3rem; } p.said { color: #666; } img { max-width: 100%; height: auto; }
.channels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(31rem, 100%), 1fr));
             gap: 1.2rem; }
.channel img { image-rendering: pixelated; width: 100%; }
.channel p { margin: .2rem 0; font-size: .82rem; }
.bar { display: inline-block; height: .65em; background: #0072B2; margin-right: .4em; }
"""


@dataclass(frozen=True)
class _Source:
    """The images that the page is about, and what is known of them."""

    images: Images
    labels: Tensor | None
    classes: Sequence[str]
    prepare: Prepare

    def some(self, rows: Sequence[int]) -> Tensor:
        return self.prepare(stored(self.images, rows))


def units_page(
    network: nn.Module,
    images: Images,
    layer: str,
    path: os.PathLike[str] | str,
    *,
    labels: Tensor | NDArray[Any] | None = None,
    classes: Sequence[str] = (),
    prepare: Prepare | None = None,
    on_event: OnEvent = ignore,
) -> TopPatches:
    """Write a page on the units of a layer, which needs nothing but itself to be read.

    It holds the top patches of every channel with the classes that they are of; the channel of the highest
    value with its receptive field, its sum (or that of the convolution before it, where its maps are of the
    same size) and the layer's maps for that image; a contact sheet of the
    forward pass; the first filters; and, of at most 4,000 of the images, the map of the penultimate features
    and the linear probe of each layer. What a network does not have is said in its place.

    Args:
        network: any module; it is left as it was.
        images: N x C x spatial, uint8 or floating point, perhaps a memory map.
        layer: a name as in ``named_modules()``; its output must be a map.
        path: the HTML file to be made or replaced; its directory must exist.
        labels: (N) classes of the images, from 0.
        classes: their names.
        prepare: turns stored images into what the network takes; ``None`` makes uint8 numbers in [0, 1].
        on_event: is given the progress.

    Returns:
        The top patches, whose figures the page shows.

    Raises:
        LayerError: as `top_patches`.
        ShapeError: as `top_patches`.
        OSError: where the file cannot be written; what was there is then untouched.
    """
    known = None if labels is None else class_labels(labels, len(images))
    source = _Source(images, known, classes, prepare or as_given)
    found = top_patches(network, images, layer, labels=known, prepare=prepare, on_event=on_event)
    with TemporaryDirectory() as folder:
        file = Path(folder, "picture.png")
        parts = [
            _heading(found, type(network).__name__),
            _channels(found, source),
            *_best_unit(network, source, found, file),
            *_whole_network(network, source, file, on_event),
        ]
    title = escape(f"Units of layer '{layer}'")
    write_text(
        os.fspath(path),
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n",
    )
    return found


def _heading(found: TopPatches, network: str) -> str:
    field = found.field
    unknown = f" {escape(field.note)}." if field.note else ""
    return (
        f"<h1>Units of layer \N{LEFT SINGLE QUOTATION MARK}{escape(found.layer)}"
        f"\N{RIGHT SINGLE QUOTATION MARK}</h1>\n"
        f"<p>Network {escape(network)}; {field.channels} channels, maps of {by(field.size)}; a unit sees "
        f"{by(field.extent)} of the {by(field.image)} elements of an image.{unknown} "
        f"Looked at were {found.total:,} images.</p>"
    )


def _best_unit(network: nn.Module, source: _Source, found: TopPatches, file: Path) -> list[str]:
    from striate.plots import contact_sheet, feature_map_sheet, unit_picture

    channel = int(found.values[:, 0].argmax())
    number = int(found.images[channel, 0])
    position = found.positions[channel, 0].tolist()
    image, whole = source.some([number]), stored(source.images, [number])[0]
    unit = explain_unit(network, image, found.layer, channel=channel, position=position)
    before = _sum_before(network, image, unit)
    maps = feature_maps(network, image, found.layer, count=31)
    sheets = all_feature_maps(network, image)
    units = [unit, *([before] if before else [])]
    return [
        f"<h2>The highest value: channel {channel} in image {number}</h2>",
        *(
            _drawn(file, partial(unit_picture, each, _array(whole)), "a unit, and what it sees")
            for each in units
        ),
        _drawn(file, lambda to: feature_map_sheet(maps, to, image=_array(whole)), "the maps of the layer"),
        "<h2>The whole forward pass for that image</h2>",
        _drawn(file, lambda to: contact_sheet(sheets, to, image=_array(whole)), "the maps of all layers"),
    ]


def _sum_before(network: nn.Module, image: Tensor, unit: Unit) -> Unit | None:
    """Explain the convolution before what is no sum, such as a norm, at the same channel and place."""
    layer = None if unit.sum else convolution_before(network, image, unit.layer)
    if layer is None:
        return None
    field = layer_field(network, image, layer)
    if (field.channels, field.size) != (unit.field.channels, unit.field.size):
        return None
    return explain_unit(network, image, layer, channel=unit.channel, position=unit.position)


def _channels(found: TopPatches, source: _Source) -> str:
    order = found.values[:, 0].argsort(descending=True, stable=True)[:MOST_CHANNELS]
    total = found.field.channels
    which = (
        f"all {total} channels" if len(order) == total else f"the {len(order)} highest of {total} channels"
    )
    sections = "\n".join(_channel(found, source, channel) for channel in sorted(order.tolist()))
    return (
        f"<h2>Top patches of {which}</h2>\n<p class='said'>Where each channel is highest, at most once an "
        "image, the highest first, cut at what the unit sees; pale blue lies outside of the image.</p>\n"
        f"<div class='channels'>{sections}</div>"
    )


def _channel(found: TopPatches, source: _Source, channel: int) -> str:
    from striate.plots.patches import framed, name_of

    pictures = framed(found, channel, [_array(each) for each in found.cut(source.images, channel)])
    values = found.values[channel]
    lines = [f"<p>values {float(values[0]):.3g} to {float(values[-1]):.3g}</p>"]
    if found.is_flat(channel):
        lines = [f"<p>{float(values[0]):.3g} in all of these: no image excites it more than others</p>"]
    elif found.class_shares is not None and found.all_shares is not None:
        own = found.class_shares[channel]
        for number in own.argsort(descending=True, stable=True).tolist():
            if own[number] > 0:
                share, usual = float(own[number]), float(found.all_shares[number])
                lines.append(
                    f"<p><span class='bar' style='width:{8 * share:.2f}rem'></span>{share:.0%} "
                    f"{escape(name_of(source.classes, number))}, {usual:.0%} of all images</p>"
                )
    described = f"the {len(pictures)} patches that excite channel {channel} most"
    return (
        f"<section class='channel'><h3>channel {channel}</h3>"
        f"<img alt='{described}' src='{_uri(_strip(pictures))}'>{''.join(lines)}</section>"
    )


def _whole_network(network: nn.Module, source: _Source, file: Path, on_event: OnEvent) -> list[str]:
    from striate.plots import filter_weights, probe_curve, representation_map

    parts = ["<h2>The first filters</h2>"]
    try:
        filters = first_filters(network)
        parts.append(
            _drawn(file, lambda to: filter_weights(filters, to), "the filters of the first convolution")
        )
    except LayerError as error:
        parts.append(_said(error))
    total = len(source.images)
    every = -(-total // MOST_POINTS)
    chosen: Images = source.images[::every]  # a view, also of a memory map
    labels = None if source.labels is None else source.labels[::every]
    parts.append(f"<h2>What the network makes of {len(chosen):,} of {total:,} images</h2>")
    try:
        points = principal_components(features(network, chosen, prepare=source.prepare, on_event=on_event))
        title = f"Penultimate features of {len(chosen):,} images"
        options: dict[str, Any] = {"labels": labels, "classes": source.classes, "title": title}
        parts.append(
            _drawn(file, lambda to: representation_map(points, to, **options), "a map of the images")
        )
        if labels is not None:
            probes = probe_layers(network, chosen, labels, prepare=source.prepare, on_event=on_event)
            parts.append(
                _drawn(file, lambda to: probe_curve(probes, to), "how well each layer parts the classes")
            )
    except StriateError as error:
        parts.append(_said(error))
    return parts


def _said(error: Exception) -> str:
    return f"<p class='said'>Not shown: {escape(str(error))}.</p>"


def _drawn(file: Path, draw: Callable[[Path], None], described: str) -> str:
    draw(file)
    return f"<p><img alt='{described}' src='{_uri(file.read_bytes())}'></p>"


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _strip(pictures: Sequence[NDArray[np.float64]]) -> bytes:
    """Lay pictures of one size next to each other, each no larger than is shown."""
    from PIL import Image

    from striate.plots.patches import painted

    parts: list[NDArray[np.uint8]] = []
    for picture in pictures:
        small = Image.fromarray(painted(picture))
        small.thumbnail((_PATCH, _PATCH))
        parts += [np.asarray(small), np.full((small.height, _GAP, 3), 255, np.uint8)]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(parts[:-1], axis=1)).save(buffer, format="png")
    return buffer.getvalue()


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.numpy()
    return array
