"""What trains many times to answer one question: depth, sharing weights, more data, recipes, other libraries.

What is exported here is imported when it is first used, so that ``python -m striate.studies.depth`` runs that
module and not a second copy of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.studies.bench import run_benchmark
    from striate.studies.bench_results import Benchmark
    from striate.studies.depth import study_depth
    from striate.studies.depth_results import DepthStudy
    from striate.studies.label_suspects import LabelSuspect, LabelSuspects, find_label_suspects
    from striate.studies.learning_curve import study_learning_curve
    from striate.studies.learning_curve_results import LearningCurve
    from striate.studies.search import search_recipe
    from striate.studies.search_results import Search
    from striate.studies.sharing import study_sharing
    from striate.studies.sharing_results import SharingStudy

__all__ = [
    "Benchmark",
    "DepthStudy",
    "LabelSuspect",
    "LabelSuspects",
    "LearningCurve",
    "Search",
    "SharingStudy",
    "find_label_suspects",
    "run_benchmark",
    "search_recipe",
    "study_depth",
    "study_learning_curve",
    "study_sharing",
]

_HOMES = {
    "Benchmark": "striate.studies.bench_results",
    "DepthStudy": "striate.studies.depth_results",
    "LabelSuspect": "striate.studies.label_suspects",
    "LabelSuspects": "striate.studies.label_suspects",
    "LearningCurve": "striate.studies.learning_curve_results",
    "Search": "striate.studies.search_results",
    "SharingStudy": "striate.studies.sharing_results",
    "find_label_suspects": "striate.studies.label_suspects",
    "run_benchmark": "striate.studies.bench",
    "search_recipe": "striate.studies.search",
    "study_depth": "striate.studies.depth",
    "study_learning_curve": "striate.studies.learning_curve",
    "study_sharing": "striate.studies.sharing",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'striate.studies' has no attribute '{name}'")
    value = getattr(import_module(home), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
