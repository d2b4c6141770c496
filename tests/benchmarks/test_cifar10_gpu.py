"""The parts of the GPU benchmark that need no GPU: data as the peers keep them, their rows, and the sums."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "cifar10_gpu.py"

PEER = """
import os, sys
assert sorted(os.listdir("cifar10")) == ["test.pt", "train.pt"]
print("|  run     |  epoch  |  train_acc  |  val_acc  |  tta_val_acc  |  time_seconds  |")
for run in range(3):
    print("|          |      7  |     0.9000  |   0.8000  |               |        0.5000  |")
    print(f"Mean accuracy after {run}: 0.9 | Mean time: 2.0s", end="\\r")
    print(f"|    {run}     |   eval  |     0.9882  |   0.9327  |       0.94{run}0  |        2.0{run}34  |")
    print("-" * 80)
sys.exit("no more")
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("cifar10_gpu", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def written(script, tmp_path_factory) -> Path:
    """A folder of 24 pictures, written for all sides."""
    random = np.random.default_rng(0)
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("written")
    for part, count in (("train", 10), ("test", 2)):
        for label in ("cat", "dog"):
            (source / part / label).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(source / part / label / f"{number}.png")
    script.write_data(str(source), folder)
    return folder


def test_all_sides_have_the_same_images(written) -> None:
    ours = np.load(written / "ours.npz")
    assert sum(len(ours[f"x_{part}"]) for part in ("train", "val")) == 20
    trained_on = torch.load(written / "cifar10" / "train.pt", weights_only=True)
    assert trained_on["images"].dtype == torch.uint8
    assert trained_on["images"].shape == (20, 32, 32, 3)
    assert (len(trained_on["labels"]), trained_on["classes"]) == (20, ["cat", "dog"])
    held = torch.load(written / "cifar10" / "test.pt", weights_only=True)
    assert (held["images"].permute(0, 3, 1, 2).numpy() == ours["x_test"]).all()
    assert (held["labels"].numpy() == ours["y_test"]).all()


def test_a_record_is_run_as_it_is_and_its_rows_are_read(script, written, tmp_path) -> None:
    (tmp_path / "peer.py").write_text(PEER)
    found = script.run_peer(tmp_path, "peer.py", written, runs=2)
    assert found == [{"accuracy": 0.941, "seconds": 2.0134}, {"accuracy": 0.942, "seconds": 2.0234}]
    with pytest.raises(RuntimeError, match="ended after 3 of 6 runs: no more"):
        script.run_peer(tmp_path, "peer.py", written, runs=5)
    with pytest.raises(RuntimeError, match="is not there"):
        script.run_peer(tmp_path, "absent.py", written, runs=1)


def test_the_sums_are_right(script, capsys) -> None:
    values = [0.90, 0.91, 0.92, 0.91, 0.905]
    # Student's 97.5 % quantile for four degrees of freedom is 2.776.
    assert script.half_interval(values) == pytest.approx(2.776 * np.std(values, ddof=1) / 5**0.5, rel=0.02)
    runs = [
        {"accuracy": value, "seconds": seconds}
        for value, seconds in zip(values, (3, 1, 2, 5, 4), strict=True)
    ]
    row = script.row_of("striate", runs, 6 * 10**12, 10.0**13)
    assert (row["seconds"], row["range"], row["share"]) == (3, [1, 5], pytest.approx(0.2))
    ours = {
        "cold": {"whole": 60.0, "parts": {"compiling": 50.0}},
        "runs": [{"whole": 2.0, "parts": {"steps": 0.7}}],
    }
    script.print_table([row], {"peer": "it is not there"}, ours, peak=1e13, device="a GPU")
    told = capsys.readouterr().out
    assert "| striate | 5 | 90.90% ± 0.91% | 3.000 (1.000-5.000) | 0.006 | 20% |" in told
    assert "peer was not measured: it is not there" in told
    assert "steps 0.700" in told
    # The papers' own figure for a training of the first record: 0.29 PFLOP.
    assert script.PEER_OPERATIONS["airbench94_muon"] == pytest.approx(0.29e15, rel=0.03)


def test_changes_of_the_recipe_are_read(script) -> None:
    changes = dict(
        map(script.read_change, ("batch=1536", "learning_rate=0.05", "model=sprint-dense", "flip=false"))
    )
    assert changes == {"batch": 1536, "learning_rate": 0.05, "model": "sprint-dense", "flip": False}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_sentence() -> None:
    command = [sys.executable, str(SCRIPT), "--data", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "no CUDA device" in done.stderr
