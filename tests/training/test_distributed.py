"""Several processes train what one does, stop together, and go on in another number."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from striate.core.events import ignore
from striate.core.tensors import load_tensors
from striate.training import Run, train

SCRIPT = Path(__file__).with_name("in_processes.py")
COMMON = {"data": "digits", "precision": "float32"}
TRAININGS = {
    "norms": {"model": "compact-small", "batch": 64, "epochs": 1, "optimizer": "sgd"},
    "few-images": {"model": "compact-small", "batch": 2, "epochs": 0.01, "shift": 1},
    "no-norms": {"model": "mlp", "batch": 64, "epochs": 1, "optimizer": "adamw"},
    "robust": {"model": "mlp", "batch": 64, "epochs": 0.3, "optimizer": "sgd", "robust": "l2:0.5"},
    "mixed": {
        "model": "mlp",
        "batch": 64,
        "epochs": 0.5,
        "optimizer": "adamw",
        "augment": "turn=5,noise,mixup",
    },
}
"""Among these: shares of 22 and 21 images, and of none, for 3 processes; Muon for a few steps.

For more of them rounding alone makes a difference: where two values in a pooling's window are almost equal,
another becomes the maximum, and Muon makes updates large however small their gradients are.
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("alone")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return {
            name: train(**COMMON, **fields, device="cpu", out=folder / name, on_event=ignore)
            for name, fields in TRAININGS.items()
        }
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=[2, 3])
def together(request, torchrun, tmp_path_factory) -> tuple[dict[str, Run], str]:
    folder = tmp_path_factory.mktemp("together")
    names = list(TRAININGS) if request.param == 3 else ["norms"]
    wanted = [{**COMMON, **TRAININGS[name], "out": str(folder / name)} for name in names]
    process = torchrun(request.param, str(SCRIPT), json.dumps(wanted), log=folder / "said")
    status, said = process.wait(timeout=120), (folder / "said").read_text()
    assert status == 0, said
    return {name: Run(folder / name) for name in names}, said


def _weights(run: Run, name: str = "last") -> dict[str, torch.Tensor]:
    tensors, _ = load_tensors(run.path / f"{name}.safetensors")
    return tensors


def test_the_weights_are_those_of_one_process(alone, together) -> None:
    for name, run in together[0].items():
        for file in ("last", "model"):
            expected, found = _weights(alone[name], file), _weights(run, file)
            assert expected.keys() == found.keys()
            for key, tensor in expected.items():
                assert (found[key] - tensor).abs().max() < 5e-4, (name, key)


def test_the_figures_are_those_of_one_process(alone, together) -> None:
    for name, run in together[0].items():
        (expected,), (found,) = alone[name].rows, run.rows
        for column in ("epoch", "step", "learning_rate"):
            assert found[column] == expected[column]
        for column in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"):
            assert found[column] == pytest.approx(expected[column], rel=1e-3, abs=2e-3), (name, column)
        for part, evaluation in alone[name].evaluation.items():
            assert run.evaluation[part].images == evaluation.images
            assert run.evaluation[part].accuracy == pytest.approx(evaluation.accuracy, abs=0.01)


def test_processes_leave_out_the_same_images(torchrun, tmp_path) -> None:
    fields = {"model": "mlp", "batch": 64, "epochs": 4, "optimizer": "adamw", "prune": 0.5}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = train(**COMMON, **fields, device="cpu", out=tmp_path / "alone", on_event=ignore)
    finally:
        torch.set_num_threads(threads)
    wanted = [{**COMMON, **fields, "out": str(tmp_path / "together")}]
    process = torchrun(2, str(SCRIPT), json.dumps(wanted), log=tmp_path / "said")
    assert process.wait(timeout=120) == 0, (tmp_path / "said").read_text()
    together = Run(tmp_path / "together")
    assert len(together.rows) == len(alone.rows) > 4
    for expected, found in zip(alone.rows, together.rows, strict=True):
        assert found["step"] == expected["step"]  # the passes are of the same lengths
        assert found["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-2)


def test_one_process_writes_and_speaks(together) -> None:
    runs, said = together
    for run in runs.values():
        kinds = [json.loads(line)["kind"] for line in (run.path / "events.jsonl").read_text().splitlines()]
        assert kinds.count("start") == kinds.count("epoch") == kinds.count("done") == 1
        assert said.count(f"saved {run.path / 'model.safetensors'}") == 1
        assert not list(run.path.rglob("*.part"))
    assert said.count("too little to do") == (1 if "processes  3" in said else 0)


def _processes(parent: int) -> dict[int, int]:
    """Give the process of each rank that a torchrun started."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int((path / "stat").read_text().rpartition(")")[2].split()[1]) != parent:
                continue
            variables = (path / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue  # it has ended
        ranks = [int(each[5:]) for each in variables if each.startswith(b"RANK=")]
        found |= {rank: int(path.name) for rank in ranks}
    return found


def _wait_for(process: subprocess.Popen[bytes], wanted: str, log: Path) -> None:
    while f"\n{wanted}" not in log.read_text():
        assert process.poll() is None, f"the training ended before '{wanted}': {log.read_text()}"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the processes in /proc")
def test_a_lost_process_stops_the_others_and_the_run_goes_on_in_any_number(torchrun, tmp_path) -> None:
    out, log = tmp_path / "run", tmp_path / "said"
    recipe = ("--model", "compact-small", "--batch", "64", "--epochs", "12", "--device", "cpu")
    process = torchrun(3, "-m", "striate", "train", "digits", *recipe, "--out", str(out), log=log)
    _wait_for(process, "epoch 1:", log)
    os.kill(_processes(process.pid)[1], signal.SIGKILL)
    killed = time.monotonic()
    assert process.wait(timeout=60) != 0
    assert time.monotonic() - killed < 30
    said = log.read_text()
    sentences = re.findall(r"^error: another of the 3 processes has ended .*$", said, re.MULTILINE)
    assert len(sentences) == 1, said
    assert f"striate train --resume {out}" in sentences[0]
    assert len(re.findall(r"exitcode +: 2 ", said)) == 2, said
    assert "defect" not in said

    process = torchrun(2, "-m", "striate", "train", "--resume", str(out), "--device", "cpu", log=log)
    _wait_for(process, "epoch 3:", log)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    said = log.read_text()
    assert len(re.findall(r"^interrupted; this goes on from the last checkpoint", said, re.MULTILINE)) == 1, (
        said
    )
    _, texts = load_tensors(out / "checkpoint" / "state.safetensors")
    assert json.loads(texts["state"])["step"] >= 3 * 19

    events = []
    run = train(resume=out, device="cpu", on_event=events.append)
    assert [row["epoch"] for row in run.rows] == list(range(1, 13))
    assert run.evaluation["test"].accuracy > 0.9
    assert any("processes" in str(event.data["message"]) for event in events if event.kind == "warning")
