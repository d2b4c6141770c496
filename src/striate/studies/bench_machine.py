"""The machine of a benchmark: what it is, how fast it multiplies matrices, and whether it is busy.

``python -m striate.studies.bench_machine`` measures the products and prints them as a line of JSON.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

PRODUCTS = 20
LEAST_PRODUCTS = 3
MOST_SECONDS = 1.0
SIZE = 2048

SAMPLE_SECONDS = 0.3


def available_cores() -> list[int]:
    """Give the processors that this process may use.

    Returns:
        Their numbers.
    """
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def describe_machine(threads: int) -> dict[str, Any]:
    """Say what this machine is.

    Args:
        threads: how many of its processors a benchmark uses.

    Returns:
        Processor, processors, threads, memory, system, Python, torch and what computes bfloat16, by name.
    """
    import torch

    from striate.core.device import choose_policy

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {
        "processor": _processor(),
        "processors": len(available_cores()),
        "threads": threads,
        "memory_gib": round(memory / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "bfloat16": choose_policy("cpu").why,
    }


def measure_products(*, size: int = SIZE) -> dict[str, float]:
    """Measure the rate of square matrix products in bfloat16 and float32, with torch's threads.

    Args:
        size: rows and columns.

    Returns:
        Floating-point operations a second by precision: the median over 20 products, or as many as a
        second allows.
    """
    import torch

    rates = {}
    for precision in ("bfloat16", "float32"):
        left, right = torch.randn(2, size, size, generator=torch.Generator().manual_seed(0)).to(
            getattr(torch, precision)
        )
        left @ right  # the first pays for what later ones find prepared
        seconds: list[float] = []
        while len(seconds) < LEAST_PRODUCTS or (len(seconds) < PRODUCTS and sum(seconds) < MOST_SECONDS):
            began = time.perf_counter()
            left @ right
            seconds.append(time.perf_counter() - began)
        rates[precision] = 2 * size**3 / median(seconds)
    return rates


def busy_share() -> float | None:
    """Measure for a moment how busy the processors that this process may use are with other work.

    Returns:
        In [0, 1]; ``None`` where the system does not tell.
    """
    before = _processor_times()
    time.sleep(SAMPLE_SECONDS)
    after = _processor_times()
    if before is None or after is None or after[1] <= before[1]:
        return None
    return (after[0] - before[0]) / (after[1] - before[1])


def _processor_times() -> tuple[int, int] | None:
    """Give how long the processors have been busy, and how long they have been there, in ticks."""
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    own = {f"cpu{core}" for core in available_cores()}
    times = [list(map(int, line.split()[1:9])) for line in lines if line.split(" ")[0] in own]
    if not times:
        return None
    idle = sum(each[3] + each[4] for each in times)
    total = sum(map(sum, times))
    return total - idle, total


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names and names[0] else platform.machine()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_products()) + "\n")
