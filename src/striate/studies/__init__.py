"""What trains many times to answer one question: depth, sharing weights, and speed beside other libraries.

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
    from striate.studies.sharing import study_sharing
    from striate.studies.sharing_results import SharingStudy

__all__ = ["Benchmark", "DepthStudy", "SharingStudy", "run_benchmark", "study_depth", "study_sharing"]

_HOMES = {
    "Benchmark": "striate.studies.bench_results",
    "DepthStudy": "striate.studies.depth_results",
    "SharingStudy": "striate.studies.sharing_results",
    "run_benchmark": "striate.studies.bench",
    "study_depth": "striate.studies.depth",
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
