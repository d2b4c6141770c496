"""Latents in a file come back as they were, or are refused in one sentence."""

from __future__ import annotations

import pytest
import torch

from striate.core.errors import LayerError, ModelFileError, RunError, ShapeError
from striate.core.tensors import save_tensors
from striate.gan import draw_latents, read_latents, write_latents


def test_latents_and_classes_come_back(linear_generator, tmp_path):
    latents, labels = draw_latents(5, 3), torch.tensor([0, 1, 1, 0, 1])
    write_latents(tmp_path / "a.safetensors", latents)
    found, none = read_latents(tmp_path / "a.safetensors", linear_generator((0.1, 0.1, 0.1)))
    assert torch.equal(found, latents)
    assert none is None
    write_latents(tmp_path / "b.safetensors", latents.double(), labels)
    found, kept = read_latents(tmp_path / "b.safetensors", linear_generator((0.1, 0.1, 0.1), classes=2))
    assert torch.equal(found, latents)
    assert torch.equal(kept, labels)


@pytest.mark.parametrize(
    ("tensors", "metadata", "error", "sentence"),
    [
        ({"latents": torch.zeros(2, 3)}, {}, ModelFileError, "holds no latents"),
        ({"weights": torch.zeros(2, 3)}, {"format": "striate.latents"}, ModelFileError, "holds no latents"),
        (
            {"latents": torch.zeros(2, 3), "more": torch.zeros(1)},
            {"format": "striate.latents"},
            ModelFileError,
            "holds no latents",
        ),
        ({"latents": torch.zeros(2, 4)}, {"format": "striate.latents"}, ShapeError, "has 4 numbers"),
        ({"latents": torch.zeros(2, 3).log()}, {"format": "striate.latents"}, LayerError, "finite"),
        (
            {"latents": torch.zeros(2, 3), "labels": torch.tensor([0, 1])},
            {"format": "striate.latents"},
            LayerError,
            "without classes",
        ),
    ],
)
def test_files_of_other_things_are_refused(linear_generator, tmp_path, tensors, metadata, error, sentence):
    save_tensors(tmp_path / "a.safetensors", tensors, metadata)
    with pytest.raises(error, match=sentence):
        read_latents(tmp_path / "a.safetensors", linear_generator((0.1, 0.1, 0.1)))


def test_what_is_not_there_or_cannot_be_written_is_one_sentence(linear_generator, tmp_path):
    with pytest.raises(ModelFileError, match="cannot read"):
        read_latents(tmp_path / "nowhere.safetensors", linear_generator((0.1,)))
    with pytest.raises(RunError, match="cannot write the latents"):
        write_latents(tmp_path / "nowhere" / "a.safetensors", draw_latents(1, 1))
