"""``striate gan sample``, ``interpolate``, ``plane``, ``arithmetic``, ``project`` and ``directions``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from striate import open_dataset
from striate.gan import TrainedGenerator, load_generator, read_latents
from striate.models.gan_catalogue import build_generator

CLASSES = ("T-shirt", "<b>boot", "bag")


def generator_file(path: Path, *, classes: int | None = None, channels: int = 1) -> Path:
    torch.manual_seed(0)
    network = build_generator("dense", size=8, latent_size=6, width=16, classes=classes, channels=channels)
    with torch.no_grad():
        for weight in network.first.parameters():
            weight *= 3  # so that images differ
    names = CLASSES[: classes or 0]
    made = TrainedGenerator(
        network.eval(),
        family="dense",
        width=16,
        class_names=names,
        class_shares=tuple(1 / len(names) for _ in names),
        details={"source": "digits"},
    )
    made.save(path)
    return path


@pytest.fixture(scope="session")
def plain(tmp_path_factory) -> Path:
    return generator_file(tmp_path_factory.mktemp("generators") / "plain.safetensors")


@pytest.fixture(scope="session")
def conditional(tmp_path_factory) -> Path:
    return generator_file(tmp_path_factory.mktemp("generators") / "classes.safetensors", classes=3)


def is_picture(path: Path) -> bool:
    with Image.open(path) as drawn:
        return drawn.format == "PNG" and min(drawn.size) > 150


def test_samples_are_drawn_and_their_latents_kept(invoke, plain, tmp_path):
    out, kept = tmp_path / "a.png", tmp_path / "z.safetensors"
    status, said, _ = invoke("gan", "sample", plain, "--n", 12, "--seed", 3, "--out", out, "--keep", kept)
    assert status == 0
    assert is_picture(out)
    assert "12 images of seed 3 are in" in said
    generator = load_generator(plain)
    latents, labels = read_latents(kept, generator.network)
    assert torch.equal(latents, generator.latents(12, seed=3))
    assert labels is None
    again = tmp_path / "b.png"
    status, said, _ = invoke("gan", "sample", plain, "--latents", kept, "--out", again, "--json")
    assert json.loads(said)["images"] == 12
    status, _, _ = invoke("gan", "sample", plain, "--n", 12, "--truncation", 0.3, "--out", tmp_path / "c.png")
    assert status == 0
    assert (tmp_path / "c.png").read_bytes() != out.read_bytes()


def test_samples_of_classes_become_a_dataset(invoke, conditional, tmp_path):
    out = tmp_path / "a.npz"
    status, _, _ = invoke("gan", "sample", conditional, "--n", 500, "--out", out)
    assert status == 0
    data = open_dataset(out)
    assert data.classes == CLASSES
    generator = load_generator(conditional)
    wanted = generator.images(generator.latents(500, seed=0), torch.arange(500) % 3)
    with np.load(out) as arrays:
        assert arrays["labels"].tolist() == [number % 3 for number in range(500)]
        assert np.array_equal(arrays["images"], (wanted * 255).round().byte().numpy())
    invoke("gan", "sample", conditional, "--n", 4, "--class", "bag", "--out", out)
    with np.load(out) as arrays:
        assert arrays["labels"].tolist() == [2] * 4


def test_walks_are_strips_and_films(invoke, plain, tmp_path):
    strip, film = tmp_path / "a.png", tmp_path / "a.gif"
    status, said, _ = invoke("gan", "interpolate", plain, "--rows", "4,0,2", "--path", "both", "--out", strip)
    assert status == 0
    assert "the way through 4, 0 and 2 of seed 0" in said
    assert is_picture(strip)
    status, said, _ = invoke(
        "gan", "interpolate", plain, "--rows", "4,0,2", "--steps", 5, "--out", film, "--json"
    )
    assert json.loads(said)["rows"] == [4, 0, 2]
    with Image.open(film) as drawn:
        assert drawn.n_frames == 12
        first = np.asarray(drawn.convert("L"))[::28, ::28]
    generator = load_generator(plain)
    wanted = generator.images(generator.latents(5, seed=0)[4:5])
    assert np.array_equal(first, (wanted[0, 0] * 255).round().byte().numpy())


def test_planes_and_sums_are_drawn(invoke, conditional, tmp_path):
    out = tmp_path / "a.png"
    plane = ("gan", "plane", conditional, "--rows", "1,5,2", "--side", 4, "--out", out)
    status, said, _ = invoke(*plane, "--json")
    assert status == 0
    assert json.loads(said)["class"] == CLASSES[1]  # as latent 1 is on the sheet of samples
    assert is_picture(out)
    assert json.loads(invoke(*plane, "--class", "bag", "--json")[1])["class"] == "bag"
    groups = ("--base", "0,1", "--minus", "2", "--plus", "3,4,5", "--class", "<b>boot")
    kept = tmp_path / "z.safetensors"
    status, said, _ = invoke(
        "gan", "arithmetic", conditional, *groups, "--out", out, "--keep", kept, "--json"
    )
    assert status == 0
    generator = load_generator(conditional)
    drawn = generator.latents(6, seed=0)
    wanted = drawn[:2].mean(0) - drawn[2] + drawn[3:].mean(0)
    wanted = wanted / (1 / 2 + 1 + 1 / 3) ** 0.5
    assert torch.allclose(torch.tensor(json.loads(said)["latent"]), wanted, atol=1e-5)
    latents, labels = read_latents(kept, generator.network)
    assert torch.allclose(latents[0], wanted, atol=1e-5)
    assert labels.tolist() == [1]


def test_photos_are_projected(invoke, plain, tmp_path, photo):
    generator = load_generator(plain)
    own = generator.images(generator.latents(1, seed=77))[0, 0]
    Image.fromarray((own * 255).round().byte().numpy()).save(tmp_path / "own.png")
    out, kept = tmp_path / "a.png", tmp_path / "z.safetensors"
    words = ("--steps", 150, "--starts", 4, "--out", out, "--keep", kept, "--json")
    status, said, _ = invoke("gan", "project", plain, tmp_path / "own.png", photo, *words)
    assert status == 0
    assert is_picture(out)
    found = json.loads(said)
    assert [each["image"] for each in found["images"]] == ["own.png", photo.name]
    distances = [each["distance"] for each in found["images"]]
    assert distances[0] < 0.02 < distances[1]
    assert all(each["distance"] <= each["nearest_draw"] + 1e-6 for each in found["images"])
    assert len(found["own_samples"]) == 4
    latents, _ = read_latents(kept, generator.network)
    rebuilt = (generator.images(latents[:1])[0, 0] - own).square().mean().sqrt()
    assert rebuilt < 0.02


def test_images_of_what_it_learnt_from_are_projected_too(invoke, conditional, tmp_path):
    words = ("--n", 3, "--steps", 5, "--starts", 2, "--out", tmp_path / "a.png")
    status, said, _ = invoke("gan", "project", conditional, *words)
    assert status == 0
    assert "its own samples are found again to within" in said
    assert "test " in said
    assert any(name in said for name in CLASSES)


def test_directions_are_drawn(invoke, plain, tmp_path):
    out = tmp_path / "a.png"
    status, said, _ = invoke("gan", "directions", plain, "--n", 2, "--rows", "1", "--out", out, "--json")
    assert status == 0
    assert is_picture(out)
    found = json.loads(said)
    assert found["exact"] is True
    assert found["layer"] == "first"
    assert len(found["shares"]) == 2
    status, said, _ = invoke("gan", "directions", plain, "--n", 2, "--out", out)
    assert said.splitlines()[0].split() == [
        "direction",
        "share",
        "of",
        "variance",
        "change",
        "of",
        "pixels",
        "by",
        "chance",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("sample", "{plain}", "--out", "a.pdf"), "written as .png or .npz"),
        (("sample", "{plain}", "--out", "nowhere/a.png"), "there is no folder nowhere"),
        (("sample", "{plain}", "--n", "401", "--out", "{tmp}/a.png"), "more than a sheet of 400 holds"),
        (("sample", "{plain}", "--n", "0", "--out", "{tmp}/a.png"), "--n"),
        (("sample", "{plain}", "--class", "bag", "--out", "{tmp}/a.png"), "trained without classes"),
        (("sample", "{conditional}", "--class", "bog", "--out", "{tmp}/a.png"), "did you mean 'bag'"),
        (("sample", "{plain}", "--truncation", "0", "--out", "{tmp}/a.png"), "any over 0 does"),
        (("sample", "{plain}", "--latents", "{tmp}/no.safetensors", "--out", "{tmp}/a.png"), "cannot read"),
        (
            ("sample", "{plain}", "--latents", "{plain}", "--truncation", "1", "--out", "{tmp}/a.png"),
            "--truncation is for drawn ones",
        ),
        (("sample", "{plain}", "--latents", "{plain}", "--out", "{tmp}/a.png"), "holds no latents"),
        (("sample", "{tmp}/none", "--out", "{tmp}/a.png"), "there is no generator"),
        (("interpolate", "{plain}", "--rows", "1,x", "--out", "{tmp}/a.png"), "--rows 1,x"),
        (("interpolate", "{plain}", "--rows", "1", "--out", "{tmp}/a.png"), "at least 2 latents"),
        (("interpolate", "{plain}", "--path", "curved", "--out", "{tmp}/a.png"), "no path 'curved'"),
        (("interpolate", "{plain}", "--steps", "1", "--out", "{tmp}/a.png"), "1 steps are no way"),
        (("plane", "{plain}", "--rows", "1,2", "--out", "{tmp}/a.png"), "a plane goes through 3"),
        (("plane", "{plain}", "--rows", "1,2,2", "--out", "{tmp}/a.png"), "the same"),
        (("arithmetic", "{plain}", "--base", "1", "--out", "{tmp}/a.png"), "Missing option"),
        (("project", "{plain}", "{tmp}/no.png", "--out", "{tmp}/a.png"), "no.png"),
        (
            ("project", "{plain}", "{tmp}/no.png", "--data", "digits", "--out", "{tmp}/a.png"),
            "give one of them",
        ),
        (("project", "{plain}", "--starts", "0", "--out", "{tmp}/a.png"), "starts from 1"),
        (("directions", "{plain}", "--n", "7", "--out", "{tmp}/a.png"), "1 to 6"),
        (("directions", "{plain}", "--layer", "last", "--out", "{tmp}/a.png"), "no layer 'last'"),
    ],
)
def test_wrong_input_gets_one_sentence(invoke, plain, conditional, tmp_path, words, sentence):
    given = [word.format(plain=plain, conditional=conditional, tmp=tmp_path) for word in words]
    status, out, err = invoke("gan", *given)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("error: ") == 1
    assert not list(tmp_path.iterdir())


def test_a_latent_of_another_generator_is_refused(invoke, plain, tmp_path):
    from striate.gan import draw_latents, write_latents

    write_latents(tmp_path / "z.safetensors", draw_latents(3, 64))
    status, _, err = invoke(
        "gan", "sample", plain, "--latents", tmp_path / "z.safetensors", "--out", tmp_path / "a.png"
    )
    assert status == 2
    assert "a latent has 64 numbers, where this generator takes 6" in err
    status, _, err = invoke(
        "gan", "interpolate", plain, "--latents", tmp_path / "z.safetensors", "--rows", "1,9"
    )
    assert status == 2
