"""``striate filter``: look at a picture through fixed filters, one of them or all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from striate.cli import output
from striate.core.errors import DataError, LayerError, RunError, unknown_name
from striate.core.files import atomic_path
from striate.engine.progress import printable

if TYPE_CHECKING:
    from striate.data.dataset import Pixels
    from striate.nn import Filter
    from striate.plots import FilterTile

SIGNED = ("absolute", "grey")
_SHOWN = {
    "plain": "it is shown as it is",
    "absolute": "shown is its absolute value",
    "grey": "shown is 128 where it is 0, lighter where it is over 0 and darker where under",
}
_NOTE = {
    "absolute": "Filters whose weights sum to 0: the response without its sign, white from the value named. "
    "The others: the response as it is. Each channel by itself.",
    "grey": "Filters whose weights sum to 0: black to white as named, mid-grey where the response is 0. "
    "The others: the response as it is. Each channel by itself.",
}


def filter(
    picture: Annotated[Path | None, typer.Argument(help="The picture; its size is kept.")] = None,
    kernel: Annotated[
        str | None,
        typer.Option(help="The filter, or gabor-ANGLE-WAVELENGTH; see --list [default: all, as a sheet]."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="OUT.png", help="The file to make [default: PICTURE-KERNEL.png].")
    ] = None,
    sheet: Annotated[bool, typer.Option("--sheet", help="Draw a sheet of all filters.")] = False,
    signed: Annotated[
        str, typer.Option(help="How responses of both signs are shown: absolute, or grey (0 is mid-grey).")
    ] = "absolute",
    list: Annotated[bool, typer.Option("--list", help="List the filters.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Look at a picture through fixed filters: edges, blurs, sharpening, relief, shifts and gratings."""
    if list:
        _say_filters(json)
        return
    if picture is None:
        raise typer.BadParameter("give a PICTURE to filter; --list names the filters")
    if sheet and kernel is not None:
        raise typer.BadParameter("--sheet draws all filters and --kernel names one; give one of the two")
    if signed not in SIGNED:
        raise LayerError(unknown_name("way to show signs", signed, SIGNED))
    target = Path(f"{picture.stem}-{kernel or 'filters'}.png") if out is None else out
    _check_target(target, picture)
    try:
        if kernel is None:
            result = _draw_sheet(picture, target, signed)
        else:
            result = _draw_one(picture, kernel, target, signed)
    except OSError as error:
        raise RunError(f"cannot write the picture {target}: {error.strerror or error}") from error
    if json:
        output.say_json(result)
    elif kernel is None:
        output.say(
            f"{printable(str(picture))} through {len(result['filters'])} filters is in {_quoted(target)}"
        )
    else:
        _say_one(result)


def _draw_one(picture: Path, kernel: str, target: Path, signed: str) -> dict[str, Any]:
    from PIL import Image

    from striate.nn import find_filter

    through = find_filter(kernel)
    pixels = _decode(picture)
    visible, figures = _look(pixels, through, signed)
    with atomic_path(target) as temporary:
        Image.fromarray(visible[0] if len(visible) == 1 else visible.transpose(1, 2, 0)).save(
            temporary, "PNG"
        )
    channels, height, width = pixels.shape
    return {
        "picture": str(picture),
        "height": height,
        "width": width,
        "channels": channels,
        "kernel": kernel,
        "weights": through.kernel,
        "border": "replicate",
        **figures,
        "out": str(target),
    }


def _draw_sheet(picture: Path, target: Path, signed: str) -> dict[str, Any]:
    from striate.nn import FILTERS
    from striate.plots import FilterTile, filter_sheet

    pixels, (height, width) = _decode_for_sheet(picture)
    tiles = [FilterTile("the picture", pixels, [f"{width} x {height} pixels"])]
    results = []
    for name, through in FILTERS.items():
        tile, figures = _tile(name, through, pixels, signed)
        tiles.append(tile)
        results.append({"kernel": name, "weights": through.kernel, **figures})
    high, wide = pixels.shape[1:]
    title = f"{picture.name} through {len(FILTERS)} filters, at {wide} x {high} pixels"
    filter_sheet(tiles, target, title=title, note=_NOTE[signed])
    sizes = {"height": high, "width": wide, "channels": len(pixels)}
    return {"picture": str(picture), **sizes, "border": "replicate", "filters": results, "out": str(target)}


def _tile(name: str, through: Filter, pixels: Pixels, signed: str) -> tuple[FilterTile, dict[str, Any]]:
    from striate.plots import FilterTile

    visible, figures = _look(pixels, through, signed, brighten=through.signed)
    lines = [through.shows]
    if through.signed:
        white = f"{figures['white']:.0f}"
        lines.append(f"from -{white} to {white}" if signed == "grey" else f"white from {white} on")
    return FilterTile(name, visible, lines, through.kernel), figures


def _look(
    pixels: Pixels, through: Filter, signed: str, *, brighten: bool = False
) -> tuple[Pixels, dict[str, Any]]:
    """Apply a filter and make the response visible; brightened, a two-hundredth of the values is white."""
    import torch

    from striate.nn import filter_picture, make_visible

    response = filter_picture(torch.tensor(pixels), through.kernel)
    way = signed if through.signed else "plain"
    white = max(1.0, response.abs().flatten().quantile(0.995).item()) if brighten else None
    visible, cut = make_visible(response, way, white=white)
    figures = {"lowest": response.min().item(), "highest": response.max().item(), "shown": way, "cut": cut}
    return visible.numpy(), figures | ({"white": white} if brighten else {})


def _decode(picture: Path, size: tuple[int, int] | None = None) -> Pixels:
    from striate.data import decode_image

    try:
        return decode_image(picture, size=size, fit="stretch")
    except DataError as error:
        raise DataError(f"{picture}: {error}") from error


def _decode_for_sheet(picture: Path) -> tuple[Pixels, tuple[int, int]]:
    """Decode a picture no larger than it is drawn, so that the sheet shows what filters do to each pixel."""
    from striate.data.decoding import measure, quiet_pillow
    from striate.plots.filter_sheet import TILE_PIXELS

    try:
        with quiet_pillow():
            height, width, _ = measure(picture)
    except DataError as error:
        raise DataError(f"{picture}: {error}") from error
    scale = min(1.0, TILE_PIXELS / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return _decode(picture, None if scale == 1 else size), (height, width)


def _check_target(target: Path, picture: Path) -> None:
    if target.suffix.lower() != ".png":
        raise RunError(
            f"cannot write {target}: pictures are written as PNG; name a file such as {target.stem}.png"
        )
    if target.exists() and picture.exists() and target.samefile(picture):
        raise RunError(f"{target} is the picture itself, which would be lost; name another file with --out")


def _say_filters(json: bool) -> None:
    from striate.nn import FILTERS

    if json:
        output.say_json(
            [{"kernel": name, "weights": one.kernel, "shows": one.shows} for name, one in FILTERS.items()]
        )
        return
    rows = [
        (name, f"{len(one.kernel)}x{len(one.kernel[0])}", "0" if one.signed else "1", one.shows)
        for name, one in FILTERS.items()
    ]
    output.say_table(("filter", "size", "sum", "what it shows"), rows, numbers=[1, 2])
    output.say()
    output.say(
        "gabor-ANGLE and gabor-ANGLE-WAVELENGTH, such as gabor-30-8.5, are made for any angle and wavelength"
    )


def _say_one(result: dict[str, Any]) -> None:
    size = f"{result['width']} x {result['height']} pixels"
    channels = "colour, each channel by itself" if result["channels"] == 3 else "grey"
    output.say(f"{printable(result['picture'])}  {size}, {channels}; border pixels go on beyond the border")
    for number, row in enumerate(result["weights"] if len(result["weights"]) <= 5 else ()):
        weights = "  ".join(f"{weight:7.4g}" for weight in row)
        output.say(f"{result['kernel'] if number == 0 else '':15}{weights}")
    output.say(
        f"the response runs from {result['lowest']:.4g} to {result['highest']:.4g}; {_SHOWN[result['shown']]}"
        f"{_cut(result)}"
    )
    output.say(f"the picture is in {_quoted(result['out'])}")


def _cut(result: dict[str, Any]) -> str:
    if result["cut"] == 0:
        return ""
    more = "; --signed grey keeps all" if result["shown"] == "absolute" else ""
    return f", and {output.percent(result['cut'])} of it, outside 0 to 255, is cut{more}"


def _quoted(path: Path | str) -> str:
    return printable(output.command(str(path)))
