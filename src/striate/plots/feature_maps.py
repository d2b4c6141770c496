"""Feature maps of a layer, of all layers on one contact sheet, and filters, as sheets of small pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import ShapeError
from striate.plots.tiles import Array, Row, Scale, Tile, as_picture, beside, plane, tile_rows

MOST_MAPS = 64
MOST_LAYERS = 24
CHANNELS_OF_A_FILTER = 4
_ROWS_OF_A_LINE = 16


class Maps(Protocol):
    """What is drawn of a layer; `striate.explain.FeatureMaps` has it."""

    @property
    def layer(self) -> str:
        """Its name."""

    @property
    def kind(self) -> str:
        """Its class."""

    @property
    def maps(self) -> ArrayLike:
        """Channels x spatial."""

    @property
    def channels(self) -> ArrayLike:
        """Their numbers."""

    @property
    def total(self) -> int:
        """How many channels the layer has."""

    @property
    def low(self) -> float:
        """Smallest value of all of its channels."""

    @property
    def high(self) -> float:
        """Largest value of all of its channels."""


class Weights(Protocol):
    """What is drawn of a convolution; `striate.explain.Filters` has it."""

    @property
    def layer(self) -> str:
        """Its name."""

    @property
    def weights(self) -> ArrayLike:
        """Filters x channels x kernel."""


def feature_map_sheet(maps: Maps, path: os.PathLike[str] | str, *, image: ArrayLike | None = None) -> None:
    """Draw the maps of a layer for one image, all in one colour scale.

    Args:
        maps: what `striate.explain.feature_maps` gave; of more than 64 channels those of the largest mean of
            ``|value|`` are drawn.
        path: the PNG file to be made or replaced.
        image: C x spatial, drawn first.

    Raises:
        ShapeError: where there is no map.
        OSError: where the file cannot be written.
    """
    scale = Scale(maps.low, maps.high)
    values, numbers = np.asarray(maps.maps), np.asarray(maps.channels)
    if len(values) > MOST_MAPS:
        strength = np.abs(values).reshape(len(values), -1).mean(axis=1)
        strongest = np.sort(np.argsort(-strength, kind="stable")[:MOST_MAPS])
        values, numbers = values[strongest], numbers[strongest]
    tiles = [
        Tile(plane(each), scale, f"channel {number}") for each, number in zip(values, numbers, strict=True)
    ]
    said = ""
    if image is not None:
        picture, said = as_picture(image)
        tiles.insert(0, Tile(picture, caption="the image"))
    size = "x".join(map(str, values.shape[1:]))
    title = f"Layer '{maps.layer}' ({maps.kind}): {_of(len(values), maps.total)} channels, maps of {size}"
    note = f"One colour scale for all maps, from {maps.low:.3g} to {maps.high:.3g}. {said}"
    tile_rows(_in_rows(tiles, scale), path, title=title, note=note)


def contact_sheet(
    layers: Sequence[Maps], path: os.PathLike[str] | str, *, image: ArrayLike | None = None, title: str = ""
) -> None:
    """Draw the strongest maps of every layer of a forward pass, a layer a row, from the first to the last.

    Args:
        layers: what `striate.explain.all_feature_maps` gave; of more than 24 so many, evenly chosen, are
            drawn.
        path: the PNG file to be made or replaced.
        image: C x spatial, drawn first.
        title: what is written above; by default how many layers there are.

    Raises:
        ShapeError: where there is no layer.
        OSError: where the file cannot be written.
    """
    if not layers:
        raise ShapeError("there is no layer to draw; at least one is needed")
    shown = np.unique(np.linspace(0, len(layers) - 1, min(len(layers), MOST_LAYERS)).round().astype(int))
    rows, said = [], ""
    if image is not None:
        picture, said = as_picture(image)
        rows.append(Row([Tile(picture)], ["the image", "x".join(map(str, np.shape(image)))]))
    for number in shown:
        layer = layers[number]
        scale, values = Scale(layer.low, layer.high), np.asarray(layer.maps)
        tiles = [
            Tile(plane(each), scale, f"channel {channel}")
            for each, channel in zip(values, np.asarray(layer.channels), strict=True)
        ]
        size = "x".join(map(str, (layer.total, *values.shape[1:])))
        label = [
            layer.layer or layer.kind,
            f"{layer.kind}, {size}",
            f"{_of(len(tiles), layer.total)} channels",
        ]
        rows.append(Row(tiles, label, scale))
    count = "all" if len(shown) == len(layers) else f"{len(shown)} of"
    note = f"Of each layer the channels with the largest mean of |value|, each row in its own scale. {said}"
    tile_rows(rows, path, title=title or f"A forward pass, {count} {len(layers)} layers", note=note, side=0.8)


def filter_weights(filters: Weights, path: os.PathLike[str] | str, *, title: str = "") -> None:
    """Draw the filters of a convolution; in colours where they have three channels and two axes.

    Args:
        filters: what `striate.explain.first_filters` gave; beyond 64 those of the largest norm are drawn.
        path: the PNG file to be made or replaced.
        title: what is written above; by default the layer and the shape of its weights.

    Raises:
        ShapeError: where there is no filter.
        OSError: where the file cannot be written.
    """
    weights = np.asarray(filters.weights, dtype=np.float64)
    if weights.ndim < 3 or 0 in weights.shape:
        raise ShapeError(f"weights of the shape {weights.shape} are no filters x channels x kernel")
    norms = np.linalg.norm(weights.reshape(len(weights), -1), axis=1)
    shown = np.sort(np.argsort(-norms, kind="stable")[:MOST_MAPS])
    tiles, said = [], ""
    for number in shown:
        most = float(np.abs(weights[number]).max())
        picture, said = _of_filter(weights[number], most)
        scale = None if picture.ndim == 3 else Scale(-most, most)
        tiles.append(Tile(picture, scale, f"{number}: \N{PLUS-MINUS SIGN}{most:.2g}"))
    bar = None if said.startswith("Colours") else Scale(-1, 1, ("\N{MINUS SIGN}max", "+max"))
    shape = "x".join(map(str, weights.shape))
    chosen = "" if len(shown) == len(weights) else f", the {len(shown)} of the largest norm"
    note = f"{said} Below each filter its number and its largest weight, which ends its scale."
    tile_rows(
        _in_rows(tiles, bar),
        path,
        title=title or f"Filters of '{filters.layer}' ({shape}){chosen}",
        note=note,
    )


def _of_filter(weights: NDArray[np.float64], most: float) -> tuple[Array, str]:
    """Lay a filter, channels x kernel, out as one picture, and say what it shows."""
    channels, dims = len(weights), weights.ndim - 1
    if channels == 3 and dims == 2:
        colours = 0.5 + np.moveaxis(weights, 0, 2) / (2 * (most or 1.0))
        return colours, "Colours are the weights of red, green and blue; grey is where nothing is weighed."
    if channels == 1:
        return plane(weights[0]), "Orange weighs positively, blue negatively."
    norms = np.linalg.norm(weights.reshape(channels, -1), axis=1)
    if dims == 1:
        strongest = np.sort(np.argsort(-norms, kind="stable")[:_ROWS_OF_A_LINE])
        rows = f"A row is a channel ({_of(len(strongest), channels)})."
        return weights[strongest], f"{rows} Orange weighs positively, blue negatively."
    strongest = np.sort(np.argsort(-norms, kind="stable")[:CHANNELS_OF_A_FILTER])
    said = (
        f"Of each filter {_of(len(strongest), channels)} channels side by side; orange over 0, blue under it."
    )
    return beside([plane(weights[number]) for number in strongest]), said


def _in_rows(tiles: Sequence[Tile], scale: Scale | None) -> list[Row]:
    columns = max(1, min(len(tiles), math.ceil(math.sqrt(1.6 * len(tiles)))))
    return [
        Row(tiles[start : start + columns], scale=None if start else scale)
        for start in range(0, len(tiles), columns)
    ]


def _of(shown: int, total: int) -> str:
    """Say how many of how many, the strongest."""
    return f"all {total}" if shown == total else f"the strongest {shown} of {total}"
