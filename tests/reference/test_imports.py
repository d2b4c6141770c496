"""The definitions stand on numpy alone."""

import subprocess
import sys


def test_importing_the_definitions_loads_no_torch():
    program = "import striate.reference, sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(found.stdout.split())
    assert "numpy" in loaded
    assert loaded.isdisjoint({"torch", "scipy", "sklearn", "striate.geometry", "striate.nn"})
