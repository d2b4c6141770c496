"""``striate predict``: say what is to be seen in pictures."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from striate.cli import output
from striate.cli.label_output import say_label_predictions
from striate.core.errors import DataError, RunError
from striate.core.files import atomic_path
from striate.engine.progress import printable

if TYPE_CHECKING:
    from striate.classifier import Prediction


def predict(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="A run directory or a model file.")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures, and folders of them.")],
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="OUT.csv", help="Write the predictions to a file.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many of the likeliest classes to name.")] = 3,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N or mps; by default: the fastest there is.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Say what is to be seen in pictures; those that cannot be read are listed and stop nothing."""
    if csv is not None and csv.is_dir():
        raise RunError(f"cannot write {csv}: it is a folder; name a file, such as {csv / 'out.csv'}")

    from striate.classifier import load, predict_each

    classifier = load(model, device=device)
    tally = Tally(keep=json or csv is None)
    with output.progress() as show, closing(predict_each(classifier, paths, top=top, on_event=show)) as each:
        counted = tally.counted(each)
        if csv is None:
            for _ in counted:
                pass
        else:
            between = separator(classifier.classes) if classifier.multi_label else None
            write_csv(csv, counted, top=min(top, len(classifier.classes)), between=between)
    if json:
        output.say_json({"model": str(model), "predictions": [one.to_dict() for one in tally.kept]})
    elif csv is not None:
        _say_summary(tally, csv)
    elif classifier.multi_label:
        say_label_predictions(tally.kept)
    else:
        _say_predictions(tally.kept)


class Tally:
    """What predictions come to, as they pass by.

    Args:
        keep: whether to keep each; without, memory does not grow with the number of pictures.
    """

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self.kept: list[Prediction] = []
        self.labels: Counter[str] = Counter()
        self.unlabelled = 0
        self.errors = 0
        self.first_error = "there are none"

    def counted(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        """Pass predictions on, and count them.

        Args:
            predictions: as they are computed.

        Yields:
            Each of them.

        Raises:
            DataError: at the end, where no picture could be read.
        """
        for prediction in predictions:
            if prediction.error is None:
                self.labels.update(name for name, _ in prediction.labels)
                self.unlabelled += not prediction.labels
            else:
                if not self.errors:
                    self.first_error = f"{prediction.name}: {prediction.error}"
                self.errors += 1
            if self._keep:
                self.kept.append(prediction)
            yield prediction
        if not self.labels and not self.unlabelled:
            raise DataError(f"none of the pictures can be read: {self.first_error}")


def separator(classes: Iterable[str]) -> str:
    """Choose what stands between the labels of a picture.

    Args:
        classes: their names.

    Returns:
        A sign that `striate.open_dataset` takes for it too, in none of the names where there is such a one.

    >>> separator(["cat", "dog"]), separator(["cat; tabby", "dog"])
    (';', '|')
    """
    return "|" if any(";" in name for name in classes) else ";"


def write_csv(path: Path, predictions: Iterable[Prediction], *, top: int, between: str | None = None) -> None:
    """Write predictions to a CSV file as they come, atomically.

    Names and classes are written as they are, bytes that are no text included.

    Args:
        path: the file to be made or replaced.
        predictions: a row each.
        top: how many classes with their probabilities a row has.
        between: what stands between the labels in a column of all that are said; ``None``: there is none.

    Raises:
        RunError: where the file cannot be written. Whatever is raised, also by the predictions, what was
            there is then untouched.
    """
    failures: list[OSError] = []

    def watched() -> Iterator[Prediction]:
        try:
            yield from predictions
        except OSError as error:
            failures.append(error)
            raise

    more = [f"{kind}_{place}" for place in range(2, top + 1) for kind in ("label", "probability")]
    try:
        with (
            atomic_path(path) as temporary,
            temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            said = [] if between is None else ["labels"]
            writer.writerow(["path", *said, "label", "probability", *more, "error"])
            for one in watched():
                figures = [figure for pair in one.top for figure in pair] or [""] * (2 * top)
                names = [] if between is None else [between.join(name for name, _ in one.labels)]
                writer.writerow([one.name, *names, *figures, one.error or ""])
    except OSError as error:
        if error in failures:  # not of the file, but of what predicts
            raise
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def _say_predictions(predictions: Iterable[Prediction]) -> None:
    rows = []
    for one in predictions:
        others = ", ".join(f"{name} {output.percent(probability, 1)}" for name, probability in one.top[1:])
        share = "" if one.probability is None else output.percent(one.probability, 1)
        rows.append((str(one.name), one.label or "", share, one.error or others))
    output.say_table(("picture", "class", "probability", "others"), rows, numbers=[2])


def _say_summary(tally: Tally, path: Path) -> None:
    output.say_table(
        ("class", "pictures"),
        [(name, f"{count:,}") for name, count in tally.labels.most_common()],
        numbers=[1],
    )
    if tally.unlabelled:
        output.say(f"{tally.unlabelled:,} without any label")
    if tally.errors:
        output.say(f"{tally.errors:,} could not be read, such as {printable(tally.first_error)}")
    output.say(f"the predictions are in {path}")
