"""What a search may choose, where it begins, and the recipe that its choices make."""

from __future__ import annotations

from dataclasses import dataclass

from striate.core.recipe import OPTIMIZERS, Recipe
from striate.recipes.deciding import OTHER_RATE, PEAK_RATES
from striate.studies.search_networks import SMALLEST, Networks
from striate.studies.search_parameters import Choice, Draw, Parameter, Real, Value

AUGMENTATIONS = {
    "none": "none",
    "trivial": "trivial",
    "warped": "turn,scale,shift",
    "mixed": "shift,mixup",
}
"""Name of a choice -> the recipe's ``augment``, but for mirroring, which goes with two of them."""

NETWORK = Choice("network", ("default", "stacked"))
OPTIMIZER = Choice("optimizer", OPTIMIZERS)
RATE = Real("rate_factor", 0.2, 5.0)
"""What the default rates of the optimiser are multiplied by."""

AUGMENT = Choice("augment", ("default", *AUGMENTATIONS))


@dataclass(frozen=True, kw_only=True)
class Space:
    """What may be chosen for images of a kind, around a recipe.

    Args:
        recipe: the recipe to beat.
        decided: the same with everything decided for the images.
        fixed: fields of the recipe that are not searched.
        size: height and width of the images in pixels.
    """

    recipe: Recipe
    decided: Recipe
    fixed: frozenset[str]
    size: tuple[int, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters, those included that only some recipes have."""
        own: list[Parameter] = [NETWORK] if self._draws_networks else []
        own += [
            parameter
            for field, parameter in (("optimizer", OPTIMIZER), ("learning_rate", RATE), ("augment", AUGMENT))
            if field not in self.fixed
        ]
        return (*own, *(Networks(self.size).parameters if self._draws_networks else ()))

    def starts(self) -> list[dict[str, Value]]:
        """Give the values that are tried first: those of the recipe to beat, and those of a drawn network.

        Returns:
            Values by name, one or two times.
        """
        first: dict[str, Value] = {
            "network": "default",
            "optimizer": self.decided.optimizer,
            "rate_factor": 1.0,
            "augment": "default",
        }
        names = {parameter.name for parameter in self.parameters}
        first = {name: value for name, value in first.items() if name in names}
        if not self._draws_networks:
            return [first]
        return [first, {**first, "network": "stacked", **Networks(self.size).start()}]

    def recipe_of(self, draw: Draw) -> Recipe:
        """Draw a recipe.

        Args:
            draw: gives the value of each parameter; it is asked for those that the recipe has.

        Returns:
            The recipe; where all values are those of the recipe to beat, that recipe.
        """
        drawn: dict[str, Value] = {}

        def remember(parameter: Parameter) -> Value:
            drawn[parameter.name] = draw(parameter)
            return drawn[parameter.name]

        changes = self._network_changes(remember)
        is_default = "model" not in changes
        if "optimizer" not in self.fixed:
            changes["optimizer"] = str(remember(OPTIMIZER))
        optimizer = str(changes.get("optimizer", self.decided.optimizer))
        if "learning_rate" not in self.fixed:
            changes |= self._rates(optimizer, float(remember(RATE)), is_default=is_default)
        if "augment" not in self.fixed:
            changes |= self._augmentation(str(remember(AUGMENT)))
        return self.recipe if drawn == self.starts()[0] else self.recipe.changed(**changes)

    @property
    def _draws_networks(self) -> bool:
        named = self.fixed & {"model", "layers", "pretrained", "freeze"}
        return not named and min(self.size) >= SMALLEST

    def _network_changes(self, draw: Draw) -> dict[str, object]:
        if not self._draws_networks or draw(NETWORK) == "default":
            return {}
        layers = Networks(self.size).text(draw)
        # What is pre-trained is another network.
        return {
            "model": "stacked",
            "layers": layers,
            "pretrained": None,
            "freeze": None,
            "rate_by_head": None,
        }

    def _augmentation(self, chosen: str) -> dict[str, object]:
        if chosen == "default":
            return {}
        policy = AUGMENTATIONS[chosen]
        mirrors = bool(self.decided.flip) and chosen in ("warped", "mixed")
        return {"augment": f"flip,{policy}" if mirrors else policy, "shift": None}

    def _rates(self, optimizer: str, factor: float, *, is_default: bool) -> dict[str, object]:
        """Scale the rates that are the default of the optimiser for this network."""
        rate, other = PEAK_RATES[optimizer], OTHER_RATE
        if is_default:
            assert self.decided.learning_rate is not None
            assert self.decided.other_rate is not None
            rate *= self.decided.learning_rate / PEAK_RATES[self.decided.optimizer]
            other = self.decided.other_rate
        rates: dict[str, object] = {"learning_rate": _short(factor * rate)}
        if optimizer == "muon" and "other_rate" not in self.fixed:
            rates["other_rate"] = _short(factor * other)
        if is_default and self.decided.rate_by_head:
            rates["rate_by_head"] = True  # as in the recipe to beat, whose rates these are multiples of
        return rates


def _short(rate: float) -> float:
    """Round to three digits: more say nothing of a rate, and recipes are read by people."""
    return float(f"{rate:.3g}")
