"""The benchmark of few labels: what it draws, how its ways differ, and what its table says."""

from __future__ import annotations

import importlib.util
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import striate
from striate.data import Split
from striate.gan.backbone import write_backbone
from striate.models import build_discriminator

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "few_labels.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("few_labels", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["few_labels"] = module
    specification.loader.exec_module(module)
    return module


def test_draws_are_of_the_training_part_even_over_classes_and_new_for_each_seed(script) -> None:
    digits = striate.open_dataset("digits")
    draws = [script.few(digits, 20, seed) for seed in (0, 0, 1)]
    for draw in draws:
        labels = np.concatenate([draw.train.labels, draw.validation.labels])
        assert np.bincount(labels).tolist() == [20] * 10
        assert len(draw.validation) == 30
        assert draw.test is digits.test
    drawn = [{image.tobytes() for split in (d.train, d.validation) for image in split.images} for d in draws]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] <= {image.tobytes() for image in digits.train.images}


def test_every_way_trains_on_the_same_draw_and_is_measured_on_the_test_part(script, tmp_path) -> None:
    write_backbone(build_discriminator("dcgan", size=8, width=8), tmp_path / "backbone.safetensors")
    digits = striate.open_dataset("digits")
    digits = replace(digits, test=Split(digits.train.images[:50], digits.train.labels[:50]))
    ways = "from scratch", "features only"
    options = Namespace(ways=ways, seeds=1, labels=5, epochs=1)
    found = script.measure(digits, [tmp_path], options)
    assert tuple(found) == ways
    assert all(0 <= accuracy <= 1 for accuracies in found.values() for accuracy in accuracies)
    first, tuned, fast, frozen, usual = (script.choices(way, tmp_path) for way in script.WAYS)
    assert (first["model"], first["layers"], first["pretrained"]) == ("dcgan-trunk", "width8", "none")
    assert tuned == {"pretrained": str(tmp_path)}
    assert (fast["freeze"], fast["learning_rate"]) == ("none", 0.05)
    assert frozen == {"pretrained": str(tmp_path), "freeze": "backbone"}
    assert usual == {"pretrained": "none"}


def test_the_table_pairs_differences_by_seed(script) -> None:
    lines = script.report({"from scratch": [0.5, 0.7], "fine-tuned": [0.6, 0.8]})
    assert lines[2].startswith("| from scratch | 60.00 ")
    assert lines[3].startswith("| fine-tuned | 70.00 ")
    assert lines[3].endswith("| +10.00 ± 0.00 points |")
