"""One photo explained by all methods side by side, each with its layer, its gap and its sanity figures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.cli import output
from striate.cli.attributions import COLOURS, Answered, Outcome, gaps_of, where, write_picture
from striate.core.errors import StriateError
from striate.core.events import OnEvent
from striate.core.seeds import derive
from striate.engine.progress import printable

if TYPE_CHECKING:
    from torch import Tensor

_TITLES = ("method", "layer", "gap", "deletion", "insertion", "what to know")


def explain_by_all(
    answered: Answered, out: Path, layer: str | None, sanity: bool, on_event: OnEvent
) -> Outcome:
    """Explain a photo by all methods, and draw them on a sheet.

    A method that cannot explain the network is listed with the reason.

    Args:
        answered: the photo.
        out: the picture to be made or replaced.
        layer: where methods look that look at a layer; ``None``: they find it.
        sanity: whether to say too how much each map depends on the weights.
        on_event: is given the progress.

    Returns:
        What was found.

    Raises:
        RunError: where the picture cannot be written.
    """
    from striate.explain.methods import AT_A_LAYER, METHODS
    from striate.plots import MapTile, attribution_sheet

    explained, path = answered.explained, None if layer is None else answered.explained.path_of(layer)
    tiles, results, errors = [], [], []
    for name, each in METHODS.items():
        method = partial(each, layer=path if name in AT_A_LAYER else None)
        try:
            made = method(explained.network, answered.images, answered.targets, on_event=on_event)
        except StriateError as error:
            results.append({"method": name, "error": str(error)})
            errors.append(error)
            continue
        heat = made.heat()
        figures = {"method": name, **where(explained, made), "gap": gaps_of(made)[0]}
        figures |= _areas(answered, heat, on_event)
        if sanity:
            figures |= _dependence(answered, method, on_event)
        results.append(figures)
        tiles.append(MapTile(answered.pixels[0], heat[0].cpu().double().numpy(), name, _lines(figures)))
    if not tiles:
        raise errors[0]
    random = _areas(answered, _random_like(answered), on_event)
    note = (
        f"deletion: the lower the better, insertion: the higher; random maps have "
        f"{random['deletion']:.3f} and {random['insertion']:.3f}; each on its own scale; 1 image"
    )
    title = f"{answered.photos[0].name}: {'; '.join(answered.lines(0))}"
    write_picture(partial(attribution_sheet, tiles, title=title, note=f"{COLOURS} {note}"), out)
    result = {"photo": str(answered.photos[0]), **answered.answer(0), "random": random, "methods": results}
    return Outcome(
        result={**result, "out": str(out)},
        lines=["", title, note, f"the sheet is in {printable(output.command(str(out)))}"],
        titles=_TITLES,
        rows=[_row(figures) for figures in results],
    )


def _areas(answered: Answered, heat: Tensor, on_event: OnEvent) -> dict[str, Any]:
    from striate.explain import deletion, insertion

    given = (answered.explained.network, answered.images, heat, answered.targets)
    return {
        "deletion": deletion(*given, on_event=on_event).area,
        "insertion": insertion(*given, on_event=on_event).area,
    }


def _random_like(answered: Answered) -> Tensor:
    import torch

    generator = torch.Generator().manual_seed(derive(0, "random maps"))
    images = answered.images
    return torch.rand(len(images), *images.shape[2:], generator=generator).to(images.device)


def _dependence(answered: Answered, method: Any, on_event: OnEvent) -> dict[str, Any]:
    from striate.explain import cascade

    found = cascade(
        answered.explained.network, answered.images, method, targets=answered.targets, on_event=on_event
    )
    return {"similarity": found.similarity, "verdict": found.verdict}


def _lines(figures: dict[str, Any]) -> list[str]:
    lines = [f"deletion {figures['deletion']:.3f}, insertion {figures['insertion']:.3f}"]
    if figures["layer"] is not None:
        lines.insert(0, f"at {figures['layer']}")
    if figures["gap"] is not None:
        lines.append(f"gap {figures['gap']:.2g}")
    if "verdict" in figures:
        lines.append(f"{figures['verdict']} on the weights ({figures['similarity']:.2f} left without them)")
    return lines


def _row(figures: dict[str, Any]) -> tuple[str, ...]:
    if "error" in figures:
        return (figures["method"], "", "", "", "", f"cannot explain this: {figures['error']}")
    known = figures["note"]
    if "verdict" in figures:
        known = f"{figures['verdict']} on the weights ({figures['similarity']:.2f}); {known}".rstrip("; ")
    gap = "" if figures["gap"] is None else f"{figures['gap']:.2g}"
    areas = f"{figures['deletion']:.3f}", f"{figures['insertion']:.3f}"
    return (figures["method"], figures["layer"] or "", gap, *areas, known)
