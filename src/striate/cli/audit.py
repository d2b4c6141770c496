"""``striate audit``: what is wrong or odd in a set of images, before anything is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from striate.cli import output
from striate.core.errors import RunError
from striate.engine.progress import printable

if TYPE_CHECKING:
    from striate.data import Audit, AuditFinding

SHOWN = 5
"""So many files of each finding are printed; the page and the JSON have more."""


def audit(
    data: Annotated[
        str, typer.Argument(help="A folder, a .zip or .tar(.gz|.xz), a .csv, an .npz or a named set.")
    ],
    labels: Annotated[
        bool, typer.Option("--labels", help="Look for wrong labels too, by a model that never saw the image.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="PAGE.html", help="Write a page with thumbnails.")
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="Whose features judge labels; by default: efficientnet-lite0 for colour photos."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu, cuda, cuda:N or mps, for --labels; by default: the fastest there is."),
    ] = None,
    cache_gb: Annotated[
        float | None, typer.Option(help="How much decoded images may take on the disk, GB; 0 keeps none.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Say what is wrong or odd in a set of images: duplicates, leakage, what cannot be read, wrong labels."""
    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise RunError(f"cannot write {html}: it has to be a file in a folder that is there")
    if backbone is not None and not labels:
        raise typer.BadParameter("a backbone judges labels; add --labels")

    from striate.data import audit as audit_images

    said: dict[str, Any] = {}
    with output.progress() as show:
        found = audit_images(data, cache_gb=cache_gb, on_event=show)
        if labels:
            from striate.studies.label_suspects import find_label_suspects

            suspects = find_label_suspects(found, backbone=backbone, device=device, on_event=show)
            said["labels"] = suspects.to_dict()
            finding = suspects.finding()
            found = found.joined([] if finding is None else [finding])
    if html is not None:
        _write(found, html)
    if json:
        output.say_json({**found.to_dict(), **said})
        return
    _say(found)
    if labels and not said["labels"]["suspects"]:
        output.say(f"no label is suspect, by {said['labels']['judge']}")
    if html is not None:
        output.say(f"the page is {html}")


def _write(found: Audit, path: Path) -> None:
    from striate.data import audit_page

    try:
        audit_page(found, path)
    except OSError as error:
        raise RunError(f"cannot write the page {path}: {error.strerror or error}") from error


def _say(found: Audit) -> None:
    from striate.data.findings import told_levels

    parts = list(next(iter(found.counts.values()), {}))
    rows = [(name, *(f"{own[part]:,}" for part in parts)) for name, own in found.counts.items()]
    output.say_table(("class", *parts), rows, numbers=range(1, len(parts) + 1))
    for finding in found.findings:
        output.say()
        _say_finding(finding)
    output.say()
    total = len(found.names)
    told = told_levels(found.findings)
    output.say(f"{total:,} images looked at in {found.seconds:.1f} s: {told}")


def _say_finding(finding: AuditFinding) -> None:
    output.say(f"{finding.level}: {printable(finding.message)}")
    for item in finding.items[:SHOWN]:
        names = " = ".join(printable(name) for name in item.names[:SHOWN])
        more = f" and {len(item.names) - SHOWN} more" if len(item.names) > SHOWN else ""
        output.say(f"  {names}{more}{f' ({printable(item.remark)})' if item.remark else ''}")
    if len(finding.items) > SHOWN:
        output.say(f"  and {len(finding.items) - SHOWN:,} more")
