"""What a search finds: its trials, the best few trained in full, the winner, and what mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from striate.core.recipe import Recipe
from striate.data.listing import counted
from striate.studies.repeats import Mean, mean_of
from striate.studies.search_importance import Importance, importances
from striate.studies.search_parameters import Parameter, Value

STATES = ("complete", "pruned", "diverged", "too large", "too slow")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One short training of a search.

    Args:
        key: tells it from all other trials, wherever they were made.
        number: counted from 0 in the order in which trials began.
        values: of its parameters.
        state: ``complete``; ``pruned``, ended early because others were better by then; ``diverged``,
            its loss was no longer a number; ``too large`` for the device's memory; ``too slow`` to be
            trained at all.
        accuracy: the best on the validation part; 0 where there was none.
        reached: the accuracy after each quarter of its time, by the quarter's number from 1.
        seconds: that it took.
        epochs: passes over its images.
    """

    key: str
    number: int
    values: Mapping[str, Value]
    state: str
    accuracy: float
    reached: Mapping[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    epochs: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Give everything by name, ready for JSON.

        Returns:
            A dictionary of plain values.
        """
        reached = {str(quarter): accuracy for quarter, accuracy in self.reached.items()}
        return {**asdict(self), "values": dict(self.values), "reached": reached}

    @classmethod
    def from_dict(cls, figures: Mapping[str, Any]) -> Trial:
        """Make a trial from what `to_dict` gave, perhaps by way of JSON.

        Args:
            figures: everything by name.

        Returns:
            The trial.
        """
        reached = {int(quarter): float(accuracy) for quarter, accuracy in figures["reached"].items()}
        return cls(**{**figures, "reached": reached})


@dataclass(frozen=True, kw_only=True)
class Finalist:
    """One of the best recipes, trained in full with several seeds.

    Args:
        trial: the number of its trial.
        recipe: with the time of a full training.
        in_trial: the validation accuracy of its trial.
        validation: for each seed the validation accuracy of a full training.
        test: for each seed the accuracy on the test part; ``None`` where there is none, or where it was not
            read, since this is neither the winner nor the recipe to beat.
        epochs: passes over the images in a full training, the mean over seeds.
    """

    trial: int
    recipe: Recipe
    in_trial: float
    validation: tuple[float, ...]
    test: tuple[float, ...] | None
    epochs: float


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a search found.

    Args:
        source: where the images are from.
        size: their height and width in pixels.
        images: how many there are to train on.
        trial_images: how many each trial was trained on.
        validation_images: how many everything was chosen on.
        precision: in which was trained.
        minutes: that were given to the search.
        training_minutes: of a full training.
        trial_minutes: of a trial.
        seconds: that were spent, earlier calls included.
        parameters: all that were searched.
        trials: in the order in which they began.
        finalists: the recipe to beat comes first; none, where none were asked for or the time was out.
    """

    source: str
    size: tuple[int, ...]
    images: int
    trial_images: int
    validation_images: int
    precision: str
    minutes: float
    training_minutes: float
    trial_minutes: float
    seconds: float
    parameters: tuple[Parameter, ...]
    trials: tuple[Trial, ...]
    finalists: tuple[Finalist, ...] = ()

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "recipe",
        "what",
        "in its trial",
        "validation accuracy",
        "test accuracy",
        "epochs",
    )
    """The titles of what `rows` gives."""

    @property
    def winner(self) -> Finalist | None:
        """The finalist with the highest mean validation accuracy; the first of equals, none of only one."""
        if len(self.finalists) < 2:
            return None
        return max(self.finalists, key=lambda each: mean_of(each.validation).mean)

    @property
    def gain(self) -> Mean | None:
        """Validation accuracy of the winner less that of the recipe to beat, seed by seed."""
        winner = self.winner
        if winner is None or winner is self.finalists[0]:
            return None
        pairs = zip(winner.validation, self.finalists[0].validation, strict=True)
        return mean_of([one - other for one, other in pairs])

    @property
    def importances(self) -> list[Importance]:
        """How much of the order of trials each parameter explains, the largest share first."""
        return importances(self.trials)

    def rows(self) -> list[tuple[str, ...]]:
        """Give a row of texts for each finalist, under the titles in `COLUMNS`.

        Returns:
            The rows, the best by validation first.
        """
        ordered = sorted(self.finalists, key=lambda each: -mean_of(each.validation).mean)
        return [
            (
                "to beat" if each is self.finalists[0] else f"trial {each.trial}",
                describe(each.recipe),
                f"{100 * each.in_trial:.2f} %",
                mean_of(each.validation).percent(),
                "" if each.test is None else mean_of(each.test).percent(),
                f"{each.epochs:.1f}",
            )
            for each in ordered
        ]

    def findings(self) -> list[str]:
        """Say what came out.

        Returns:
            A sentence for the trials, for the winner, and for what mattered.
        """
        counts = {state: sum(trial.state == state for trial in self.trials) for state in STATES}
        states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        found = [
            f"{counted(len(self.trials), 'trial')} ({states or 'none'}), each of at most "
            f"{60 * self.trial_minutes:.1f} s on {self.trial_images:,} of {self.images:,} images"
        ]
        if self.winner is not None:
            found.append(self._said_of_winner(self.winner))
        mattered = [each for each in self.importances if each.share > 0][:3]
        if mattered:
            shares = ", ".join(
                f"{each.name} ({each.share:.2f} of the variance of ranks)" for each in mattered
            )
            found.append(f"what mattered most in {mattered[0].trials} or fewer complete trials: {shares}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Give everything by name, ready for JSON.

        Returns:
            A dictionary of plain values.
        """
        winner = self.winner
        figures = {
            name: value
            for name, value in vars(self).items()
            if name not in ("trials", "finalists", "parameters")
        }
        return {
            **figures,
            "size": list(self.size),
            "parameters": [{"kind": type(each).__name__, **asdict(each)} for each in self.parameters],
            "trials": [trial.to_dict() for trial in self.trials],
            "finalists": [{**vars(each), "recipe": each.recipe.to_dict()} for each in self.finalists],
            "winner": None if winner is None else self.finalists.index(winner),
            "gain": None if self.gain is None else asdict(self.gain),
            "importances": [asdict(each) for each in self.importances],
        }

    def _said_of_winner(self, winner: Finalist) -> str:
        seconds = f"{60 * self.training_minutes:.0f} s of training"
        accuracy = mean_of(winner.validation).percent()
        seeds = len(winner.validation)
        if self.gain is None:
            return f"after {seconds} none is better than the recipe to beat, at {accuracy} ({seeds} seeds)"
        sure = self.gain.low is not None and self.gain.low > 0
        said = "better" if sure else "not shown to be better"
        return (
            f"after {seconds} trial {winner.trial} reaches {accuracy}, {self.gain.points()} beside the "
            f"recipe to beat (paired, {seeds} seeds, on the {self.validation_images:,} validation images "
            f"that it was chosen on): {said}"
        )


def describe(recipe: Recipe) -> str:
    """Say in a few words what a search chose in a recipe.

    Args:
        recipe: what is described.

    Returns:
        The text.

    >>> describe(Recipe(model="stacked", layers="conv8,mean", optimizer="sgd", learning_rate=0.1))
    'conv8,mean; sgd at 0.1'
    """
    network = recipe.layers or recipe.model or "default network"
    rate = "" if recipe.learning_rate is None else f" at {recipe.learning_rate:g}"
    augment = getattr(recipe, "augment", None)
    return f"{network}; {recipe.optimizer}{rate}{'' if augment is None else f'; augment {augment}'}"


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """Give the best of the trials that came to their end; the first of equals.

    Args:
        trials: any.

    Returns:
        The trial; ``None`` where none came to its end.
    """
    complete = [trial for trial in trials if trial.state == "complete"]
    return max(complete, key=lambda trial: trial.accuracy, default=None)
