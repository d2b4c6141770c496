"""The peers: each says what it needs and trains, imports nothing of ours, and tells what it measured."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from striate.core.errors import RecipeError
from striate.data import open_dataset
from striate.studies.bench_export import exported
from striate.studies.bench_ours import training_operations
from striate.studies.bench_peers import FOLDER, PEERS, choose_peers, set_up
from striate.studies.bench_process import run_alone
from striate.studies.environments import Unusable
from striate.studies.peers import fastai_strided, keras_mnist, pytorch_mnist
from striate.studies.peers.run import Job, peak_bytes


def silent(event: object) -> None:
    """Read nothing."""


@pytest.mark.parametrize("name", PEERS)
def test_each_peer_says_what_it_is_and_pins_what_it_needs(name: str) -> None:
    peer = PEERS[name]
    assert peer.about
    assert peer.budgets
    assert all(list(epochs) == sorted(epochs) for epochs in peer.budgets)
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", requirement) for requirement in peer.requirements)
    pinned = {requirement.partition("==")[0] for requirement in peer.requirements}
    module = importlib.import_module(f"striate.studies.peers.{peer.script}")
    assert set(module.LIBRARIES) <= pinned
    assert callable(module.train)


@pytest.mark.parametrize("script", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_no_peer_imports_anything_of_ours_when_it_runs(script: Path) -> None:
    tree = ast.parse(script.read_text())
    guarded = [
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    allowed = {id(node) for guard in guarded for node in ast.walk(guard)}
    names = [
        node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in allowed
    ]
    assert not [name for name in names if name.startswith("striate")]


def test_peers_are_chosen_by_name_in_their_order() -> None:
    assert list(choose_peers(["all"])) == list(PEERS)
    assert choose_peers(["none"]) == choose_peers("none") == {}
    assert choose_peers({"timm": "/usr/bin/python3"}) == {"timm": "/usr/bin/python3"}
    with pytest.raises(RecipeError, match="there is no peer 'keras'; did you mean 'keras-mnist'"):
        choose_peers(["keras"])
    with pytest.raises(RecipeError, match="there is no peer 'none'"):
        choose_peers(["timm", "none"])


def test_an_interpreter_without_the_libraries_is_of_no_use() -> None:
    with pytest.raises(Unusable, match=r"cannot be imported where it is installed: .*fastai"):
        set_up(PEERS["fastai"], sys.executable, threads=1, on_event=silent)


LIKE_TORCHVISION = """
import torch
for name in {operators}:
    torch.library.register_fake(f"torchvision::{{name}}")(lambda dets, scores, iou_threshold: dets)
resized = "by Python"
"""
"""What torchvision 0.28 does when it is imported without its compiled part, which defines the operators."""


def imported(tmp_path: Path, operators: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("from torchvision.described import resized")
    (package / "described.py").write_text(LIKE_TORCHVISION.format(operators=operators))
    code = (
        "import run; run.import_torchvision(); run.import_torchvision(); import torch, torchvision; "
        "print(torchvision.resized); torch.ops.torchvision.nms(torch.ones(1, 4), torch.ones(1), 0.5)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{FOLDER}{os.pathsep}{tmp_path}"}
    words = [sys.executable, "-c", code]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def test_torchvision_is_imported_without_its_compiled_part_whose_operators_then_fail(tmp_path: Path) -> None:
    done = imported(tmp_path, ("nms", "qnms"))
    assert done.stdout == "by Python\n", done.stderr
    assert "Could not run 'torchvision::nms'" in done.stderr


def test_a_torchvision_that_wants_more_than_it_had_is_not_passed_over(tmp_path: Path) -> None:
    done = imported(tmp_path, ("nms", "another"))
    assert done.stdout == ""
    assert "operator torchvision::another does not exist" in done.stderr


def test_a_peer_runs_with_its_variables_and_with_a_home_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "peer.py").write_text(
        "LIBRARIES, IMPORTS, ENVIRONMENT = (), ('keeps_settings',), {'LEVEL': 'quiet'}\n"
    )
    (tmp_path / "keeps_settings.py").write_text(
        "import os, pathlib\n"
        "assert os.environ['LEVEL'] == 'quiet'\n"
        "(pathlib.Path.home() / 'settings').write_text('')\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "HOME": str(home), "USERPROFILE": str(home)}
    words = [sys.executable, str(FOLDER / "run.py"), "peer", "--check"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["versions"], done.stderr
    assert not list(home.iterdir())


def job(tmp_path: Path, shape: tuple[int, ...], epochs: tuple[float, ...] = (1,), count: int = 96) -> Job:
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 3
    images = generator.integers(0, 60, (count, *shape), np.uint8) + 90 * labels[:, None, None, None].astype(
        np.uint8
    )
    path = tmp_path / "data.npz"
    parts = {
        f"{part}_{what}": values
        for part in ("train", "test")
        for what, values in (("images", images), ("labels", labels))
    }
    np.savez(path, classes=np.array(3), **parts)
    channel = (tmp_path / "lines").open("w")
    return Job(path, folder=None, seed=1, threads=1, epochs=epochs, channel=channel)


def lines(tmp_path: Path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]


def test_the_example_learns_and_is_measured_at_each_budget(tmp_path: Path) -> None:
    pytorch_mnist.train(job(tmp_path, (1, 10, 10), epochs=(1, 6), count=480))
    first, last = lines(tmp_path)
    assert (first["epochs"], last["epochs"]) == (1, 6)
    assert (first["images"], last["images"]) == (480, 2880)
    assert last["accuracy"] > 0.9
    assert 0 < first["training_seconds"] < last["training_seconds"]
    # 8x8x32x9, 6x6x64x288, 576x128 and 128x3 products; the first has no gradient by the images.
    products = 8 * 8 * 32 * 9, 6 * 6 * 64 * 288, 3 * 3 * 64 * 128, 128 * 3
    assert last["operations"] == 2 * (3 * sum(products) - products[0])


def test_the_clock_stands_still_while_something_is_measured(tmp_path: Path) -> None:
    made = job(tmp_path, (1, 8, 8))
    made.begin()
    made.measure(1, lambda: time.sleep(0.2) or 0.5)
    time.sleep(0.1)
    made.pause()
    made.pause()
    time.sleep(0.2)
    made.measure(2, lambda: 0.6, operations=lambda: time.sleep(0.1) or 3.0)
    first, last = lines(tmp_path)
    assert first["training_seconds"] < 0.05
    assert first["evaluation_seconds"] == pytest.approx(0.2, abs=0.05)
    assert last["training_seconds"] == pytest.approx(0.1, abs=0.05)
    assert last["aside_seconds"] == pytest.approx(0.1, abs=0.05)
    assert (first["operations"], last["operations"]) == (None, 3.0)


def test_batches_hold_every_image_once_and_accuracy_counts_the_right_ones(tmp_path: Path) -> None:
    made = job(tmp_path, (1, 4, 4), count=10)
    batches = list(made.torch_batches(4))
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    seen = torch.cat([images for images, _ in batches]).flatten(1).sum(1).sort().values
    expected = torch.from_numpy(made.images("train")).float().div(255).flatten(1).sum(1).sort().values
    assert torch.allclose(seen, expected)
    constant = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).train()
    nn.init.zeros_(constant[1].weight)
    constant[1].bias.data = torch.tensor([1.0, 0.0, 0.0])
    assert made.torch_accuracy(constant) == pytest.approx(0.4)
    assert constant.training


def test_the_book_s_network_has_its_parameters_and_one_value_a_class() -> None:
    network = fastai_strided.make_network(1, 10)
    assert sum(parameter.numel() for parameter in network.parameters()) == 30_542
    assert network(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    assert network(torch.rand(2, 1, 32, 32)).shape == (2, 10)


def test_the_convnet_of_keras_is_counted_as_torch_counts_it(tmp_path: Path) -> None:
    network = nn.Sequential(
        *(nn.Conv2d(2, 32, 3), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64 * 3 * 2, 3)),
    )
    made = job(tmp_path, (2, 19, 17))
    assert keras_mnist.operations((19, 17, 2), 3) == made.torch_operations(network)


def test_our_operations_are_those_that_torch_counts(tmp_path: Path) -> None:
    network = nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8 * 3 * 3, 5)),
    )
    made = job(tmp_path, (1, 13, 13))
    assert training_operations(network, (1, 13, 13)) == made.torch_operations(network)
    # Where the first layer is frozen, nothing before the second needs a gradient.
    network[0].requires_grad_(False)
    assert training_operations(network, (1, 13, 13)) == made.torch_operations(network)


def test_memory_is_that_of_the_process_and_not_of_the_one_that_started_it() -> None:
    assert peak_bytes() > 1.2e8  # torch is in this process
    text = (
        f"import json, sys; sys.path.insert(0, {str(FOLDER)!r}); from run import peak_bytes\n"
        "before = peak_bytes(); block = b'x' * 80_000_000\n"
        "print(json.dumps({'before': before, 'after': peak_bytes()}))"
    )
    (line,) = run_alone([sys.executable, "-c", text], threads=1)
    assert 1e6 < line["before"] < 8e7
    assert line["after"] - line["before"] == pytest.approx(8e7, rel=0.1)


def test_data_are_exported_as_the_peers_read_them(tmp_path: Path) -> None:
    dataset = open_dataset("digits")
    with exported(dataset, within=tmp_path, folder=True, on_event=silent) as files:
        with np.load(files.file) as arrays:
            assert int(arrays["classes"]) == 10
            assert (arrays["train_images"] == dataset.train.images).all()
            assert (arrays["test_labels"] == dataset.test.labels).all()
        pictures = sorted(files.folder.glob("*/*/*.png"))
        counts = {part: len(list((files.folder / part).glob("*/*.png"))) for part in ("train", "val", "test")}
        assert counts == {"train": 1221, "val": 216, "test": 360}
        again = open_dataset(files.folder)
        assert (np.bincount(again.test.labels) == np.bincount(dataset.test.labels)).all()
        assert len(pictures) == 1797
    assert list(tmp_path.iterdir()) == []
