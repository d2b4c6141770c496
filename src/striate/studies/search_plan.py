"""What a search has settled when it begins and keeps when it goes on: its name, its times, the time spent."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from striate.core.errors import RecipeError, RunError
from striate.core.files import write_text
from striate.core.version import VERSION
from striate.data import Dataset
from striate.studies.search_space import Space
from striate.studies.search_storage import writing
from striate.studies.search_store import Store

FILE = "plan.json"

FULL_TRAININGS = 12
"""A search takes as long as so many full trainings: six are for the finalists, the rest is for trials."""

SMALLER = 4
"""A trial has one of so many parts of the time and of the images of a full training."""

LEAST_IMAGES = 2000
"""Of fewer images a trial has all."""

MOST_BYTES = 2**31
"""So much, at most, the images of a trial take in memory."""

SEEDS = 2
"""How often each finalist is trained in full."""

SECONDS_TO_FINISH = 2
"""What a full training takes beside its time: calibration, pictures, files."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a search has settled.

    Args:
        name: the same for the same images, recipe to beat, fixed fields and version.
        training_minutes: of a full training.
        trial_minutes: of a trial.
        trial_images: how many a trial has.
        seconds: that were spent in this folder before.
    """

    name: str
    training_minutes: float
    trial_minutes: float
    trial_images: int
    seconds: float = 0.0

    @classmethod
    def of(cls, dataset: Dataset, space: Space, *, minutes: float) -> Plan:
        """Settle everything for a search that begins.

        Args:
            dataset: what is trained on.
            space: what is searched.
            minutes: that the search may take.

        Returns:
            The plan.

        Raises:
            RecipeError: where nothing is left to be searched.
        """
        if not space.parameters:
            raise RecipeError(
                "nothing is left to be searched: leave out one of model, optimizer, learning_rate and augment"
            )
        images = len(dataset.train)
        full = space.recipe.minutes or minutes / FULL_TRAININGS
        most = max(1, MOST_BYTES * images // max(1, dataset.train.images.nbytes))
        wanted = max(-(-images // SMALLER), min(images, LEAST_IMAGES))
        what = "\n".join([VERSION, dataset.fingerprint, space.recipe.to_toml(), *sorted(space.fixed)])
        digest = hashlib.blake2b(what.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()
        return cls(
            name=f"striate {dataset.name} {digest}",
            training_minutes=round(full, 4),
            trial_minutes=round(full / SMALLER, 5),
            trial_images=min(wanted, most),
        )

    def agreed(self, store: Store) -> Plan:
        """Take the times of the search that this one joins, or tell them to those that join later.

        Args:
            store: the trials of all of them.

        Returns:
            The plan that all have.
        """
        names = ("training_minutes", "trial_minutes", "trial_images")
        known = store.facts.get("plan")
        if known is None:
            store.agree({"plan": {name: getattr(self, name) for name in names}})
            return self
        return replace(self, **{name: known[name] for name in names})

    def seconds_of_finals(self, finalists: int) -> float:
        """Estimate how long it takes to train the best in full.

        Args:
            finalists: how many.

        Returns:
            Seconds.
        """
        return finalists * SEEDS * (60 * self.training_minutes + SECONDS_TO_FINISH)


def read_plan(folder: Path, plan: Plan) -> Plan:
    """Give the plan of a folder that is gone on with, or the new one.

    Args:
        folder: of a search, or an empty one.
        plan: as it would be if the search began now.

    Returns:
        The plan to follow.

    Raises:
        RunError: where the folder holds another search, or its plan is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return plan
    try:
        found = Plan(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"the plan of a search in {path} is damaged: {error}; name another --out") from error
    if found.name != plan.name:
        raise RunError(
            f"{folder} holds another search: of other images, from another recipe, with other fields given, "
            "or by another version; name another --out"
        )
    return found


def keep_plan(folder: Path, plan: Plan) -> None:
    """Keep the plan in its folder.

    Args:
        folder: of the search.
        plan: with the time spent so far.

    Raises:
        RunError: where it cannot be written.
    """
    with writing(folder):
        write_text(folder / FILE, json.dumps(asdict(plan)) + "\n")
