"""A run that is killed goes on to the weights it would have had, and no two processes share one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import striate
from striate.core.errors import RunError
from striate.core.events import ignore
from striate.core.tensors import load_tensors
from striate.gan import GanRun, load_generator, train_gan
from striate.gan import loop as gan_loop

SOURCE = Path(__file__).resolve().parents[2] / "src"
# Steps of the discriminator and penalties in turns, norms with statistics, checks and sheets on the way.
RECIPE = {
    "family": "residual",
    "width": 8,
    "batch": 64,
    "epochs": 6,
    "discriminator_steps": 2,
    "r1": 0.1,
    "penalty_every": 3,
    "classes": True,
    "sheets": 2,
}
FAST = {"family": "dense", "width": 16, "batch": 64, "sheets": 1, "device": "cpu"}

# Checkpoints after every few steps, so that a kill falls between, before and within them.
SCRIPT = """
import sys
from striate.gan import loop, train_gan
loop.CHECKPOINT_SECONDS = float(sys.argv[2])
loop.STEP_EVENT_SECONDS = 0.0
say = lambda event: print(event.kind, event.data.get("step", ""), flush=True)
train_gan(**eval(sys.argv[1]), device="cpu", on_event=say)
"""


def _start(*, checkpoint_seconds: float = 0.05, **arguments) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, repr(arguments), str(checkpoint_seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def _wait_for(process: subprocess.Popen, wanted: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == wanted:
            return
    raise AssertionError(f"the training ended before '{wanted}'")


@pytest.fixture(scope="module")
def digits() -> striate.Dataset:
    return striate.open_dataset("digits")


def _interrupted(data, out: Path, **fields) -> None:
    def stop(event) -> None:
        if event.kind == "epoch":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_gan(data, out=out, on_event=stop, **{**FAST, **fields})


def test_a_killed_run_ends_with_the_same_weights_bit_for_bit(tmp_path) -> None:
    whole = _start(data="digits", out=str(tmp_path / "whole"), **RECIPE)
    killed = _start(data="digits", out=str(tmp_path / "killed"), **RECIPE)
    _wait_for(killed, "step 101")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not GanRun(tmp_path / "killed").is_finished
    resumed = _start(resume=str(tmp_path / "killed"))
    for process in (whole, resumed):
        process.communicate(timeout=120)
        assert process.returncode == 0
    one, other = GanRun(tmp_path / "whole"), GanRun(tmp_path / "killed")
    for name in ("checkpoint/state.safetensors", "generator.safetensors", "backbone.safetensors"):
        expected, found = (load_tensors(run.path / name)[0] for run in (one, other))
        assert expected.keys() == found.keys()
        for key in expected:
            assert expected[key].equal(found[key]), key
            assert expected[key].stride() == found[key].stride(), key
    timeless = [name for name in one.columns if name not in ("seconds", "images_per_second")]
    assert [[row[name] for name in timeless] for row in one.rows] == [
        [row[name] for name in timeless] for row in other.rows
    ]
    assert one.outcome["findings"] == other.outcome["findings"]
    assert {path.name for path in (one.path / "sheets").iterdir()} == {
        path.name for path in (other.path / "sheets").iterdir()
    }


def test_a_run_in_minutes_goes_on_with_the_time_it_had_left(tmp_path, monkeypatch, digits) -> None:
    monkeypatch.setattr(gan_loop, "CHECKPOINT_SECONDS", 0.05)
    monkeypatch.setattr(gan_loop, "CHECK_IMAGES", 1)
    seconds = 2.0

    class Stop(Exception):
        pass

    def stop_half_way(event) -> None:
        if event.kind == "epoch" and event.data["seconds"] > seconds / 2:
            raise Stop

    # A machine that stalls for a moment is no defect: one of three must be on time; a wrong rule is never.
    for attempt in range(3):
        out = tmp_path / str(attempt)
        with pytest.raises(Stop):
            train_gan(digits, out=out, on_event=stop_half_way, minutes=seconds / 60, **FAST)
        steps = GanRun(out).rows[-1]["step"]
        run = train_gan(digits, resume=out, on_event=ignore)
        assert run.rows[-1]["share"] > 0.9
        assert run.rows[-1]["step"] >= steps
        # A whole budget more would be 1.5 times as long.
        if 0.85 * seconds < run.outcome["training_seconds"] < 1.25 * seconds:
            return
    raise AssertionError(f"three runs of {seconds} s, the last one took {run.outcome['training_seconds']}")


def test_sigterm_saves_at_the_next_step_and_leaves_a_generator(tmp_path) -> None:
    path = tmp_path / "run"
    process = _start(checkpoint_seconds=1e9, data="digits", out=str(path), **{**RECIPE, "epochs": 500})
    _wait_for(process, "step 9")
    time.sleep(0.01)
    with pytest.raises(RunError, match="another process is training"):
        train_gan(resume=path, on_event=ignore)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode not in (0, -signal.SIGTERM)
    _, texts = load_tensors(path / "checkpoint" / "state.safetensors")
    assert json.loads(texts["state"])["step"] >= 9
    assert load_generator(path).size == 8
    with GanRun(path).locked():  # a dead process holds no lock
        pass


def test_arrays_are_asked_for_again_and_other_data_are_refused(tmp_path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (90, 8, 8), dtype=np.uint8)
    _interrupted(images, tmp_path / "run", epochs=3, batch=16)
    with pytest.raises(RunError, match="give the same data again"):
        train_gan(resume=tmp_path / "run", on_event=ignore)
    with pytest.raises(RunError, match="have changed"):
        train_gan(255 - images, resume=tmp_path / "run", on_event=ignore)
    assert train_gan(images, resume=tmp_path / "run", on_event=ignore).is_finished


def test_what_cannot_be_resumed_says_so(tmp_path, digits) -> None:
    with pytest.raises(RunError, match="no run directory"):
        train_gan(resume=tmp_path / "absent", on_event=ignore)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="no checkpoint"):
        train_gan(resume=tmp_path / "empty", on_event=ignore)
    run = train_gan(digits, out=tmp_path / "run", epochs=0.1, on_event=ignore, **FAST)
    with pytest.raises(RunError, match="is finished"):
        train_gan(resume=run.path, on_event=ignore)
    with pytest.raises(RunError, match="keeps its recipe"):
        train_gan(resume=run.path, epochs=3, on_event=ignore)


@pytest.mark.parametrize("damage", ["cut", "random", "other"])
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, digits, damage) -> None:
    run = train_gan(digits, out=tmp_path / "run", epochs=0.1, on_event=ignore, **FAST)
    (run.path / "outcome.json").unlink()
    content = run.checkpoint.read_bytes()
    if damage == "cut":
        run.checkpoint.write_bytes(content[: len(content) // 2])
    elif damage == "random":
        run.checkpoint.write_bytes(os.urandom(1000))
    else:
        run.checkpoint.write_bytes((run.path / "generator.safetensors").read_bytes())
    with pytest.raises(RunError, match="checkpoint"):
        train_gan(resume=run.path, on_event=ignore)


def test_a_run_that_was_killed_while_it_ended_only_ends(tmp_path, digits) -> None:
    run = train_gan(digits, out=tmp_path / "run", epochs=2, on_event=ignore, **FAST)
    weights, rows = load_tensors(run.path / "generator.safetensors")[0], run.rows
    (run.path / "outcome.json").unlink()
    again = train_gan(resume=run.path, on_event=ignore)
    found, _ = load_tensors(run.path / "generator.safetensors")
    assert all(found[key].equal(weights[key]) for key in weights)
    assert again.rows == rows
    assert again.outcome["steps"] == 2 * 19
