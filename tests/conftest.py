"""What holds for every test."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

SOURCE = Path(__file__).resolve().parents[1] / "src"

# A busy machine is no defect: hypothesis would fail an example for taking longer than 200 ms. A change is
# tried with the same examples each time, so that chance does not decide whether it passes; others are
# looked for with --hypothesis-profile=search.
settings.register_profile("striate", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("striate")


@pytest.fixture(scope="session")
def torchrun() -> Callable[..., subprocess.Popen[bytes]]:
    """Start several processes of one thread each by torchrun, as a user does; a file takes what they say."""

    def start(processes: int, *command: str, log: Path) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
        runner = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        with log.open("wb") as said:
            return subprocess.Popen(
                [*runner, f"--nproc-per-node={processes}", *command],
                stdout=said,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    return start
