"""The page for one's own eyes holds the images and hides the answers; a browser keeps the score."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from striate.core.errors import LayerError, ShapeError
from striate.gan import eyes_page

EVIL = "</script><script>alert(1)</script> & <b>Shirt</b>"


def some_images(count: int, seed: int, channels: int = 1) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, 7, 7), generator=source, dtype=torch.uint8)


def page(path, **options):
    real, generated = some_images(4, 0), some_images(4, 1)
    options = {
        "title": EVIL,
        "real_captions": [f"{EVIL} {number}" for number in range(4)],
        "generated_captions": [f"garment {number}" for number in range(4)],
        **options,
    }
    eyes_page(real, generated, path, **options)
    return real, generated, path.read_text(encoding="utf-8")


def held_by(text: str) -> dict:
    return json.loads(re.search(r'id="test">(.*?)</script>', text, re.DOTALL)[1])


def answers_of(test: dict) -> list:
    """What the page makes of its answers: each letter mixed with a draw of xorshift."""
    state, letters = test["key"], []
    for mixed in base64.b64decode(test["answers"]):
        state = (state ^ (state << 13)) & 0xFFFFFFFF
        state ^= state >> 17
        state = (state ^ (state << 5)) & 0xFFFFFFFF
        letters.append(chr(mixed ^ (state & 0xFF)))
    return json.loads("".join(letters))


def decoded(uri: str) -> np.ndarray:
    assert uri.startswith("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_every_image_is_there_once_with_its_answer(tmp_path):
    real, generated, text = page(tmp_path / "a.html")
    test = held_by(text)
    answers = answers_of(test)
    captions = {f"{EVIL} {number}": real[number, 0] for number in range(4)}
    captions |= {f"garment {number}": generated[number, 0] for number in range(4)}
    assert sorted(caption for _, caption in answers) == sorted(captions)
    for uri, (made, caption) in zip(test["images"], answers, strict=True):
        assert np.array_equal(decoded(uri), captions[caption])
        assert made == caption.startswith("garment")
    kinds = [made for made, _ in answers]
    assert kinds not in ([0] * 4 + [1] * 4, [1] * 4 + [0] * 4)


def test_answers_cannot_be_read_and_names_are_escaped(tmp_path):
    _, _, text = page(tmp_path / "a.html")
    assert "garment" not in text
    assert "Shirt</b> 0" not in text
    assert "<b>" not in text
    assert "alert(1)</script>" not in text
    assert "&lt;b&gt;Shirt" in text
    hidden = base64.b64decode(held_by(text)["answers"])
    assert b"garment" not in hidden
    assert not re.search(rb"\[[01], ", hidden)
    assert not re.search(r"https?://|(src|href)=\"(?!data:)", text)


def test_the_policy_allows_what_is_there_and_no_more(tmp_path):
    _, _, text = page(tmp_path / "a.html")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)[1]
    policy = policy.replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; img-src data:;")
    for name, tag in (("style-src", "style"), ("script-src", "script")):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    assert " style=" not in text
    assert not re.search(r"\son\w+=", text)


def test_one_seed_gives_one_page_and_another_an_other_order(tmp_path):
    texts = [page(tmp_path / f"{number}.html", seed=seed)[2] for number, seed in enumerate((0, 0, 1))]
    assert texts[0] == texts[1]
    assert held_by(texts[0])["images"] != held_by(texts[2])["images"]
    assert sorted(held_by(texts[0])["images"]) == sorted(held_by(texts[2])["images"])
    assert held_by(texts[0])["name"] != held_by(texts[2])["name"]


def test_both_kinds_are_stored_alike(tmp_path):
    whole = some_images(3, 5, channels=3)
    eyes_page(whole, whole.float() / 255, tmp_path / "a.html")
    test = held_by((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert len(set(test["images"])) == 3
    assert decoded(test["images"][0]).shape == (7, 7, 3)
    assert [caption for _, caption in answers_of(test)] == [""] * 6


@pytest.mark.parametrize(
    ("real", "generated", "options", "error", "sentence"),
    [
        (some_images(3, 0), torch.rand(3, 1, 8, 8), {}, ShapeError, "only those of one size"),
        (some_images(3, 0), some_images(3, 0, 3), {}, ShapeError, "only those of one size"),
        (some_images(3, 0)[0], some_images(3, 0), {}, ShapeError, "are wanted"),
        (some_images(3, 0), some_images(3, 0)[:0], {}, ShapeError, "0x1x7x7"),
        (some_images(2, 0, 2), some_images(2, 0, 2), {}, ShapeError, "1 or 3"),
        (some_images(4, 0), some_images(2, 0), {}, LayerError, "4 real and 2 generated"),
        (some_images(1, 0), some_images(2, 0), {}, LayerError, "3 images cannot be judged"),
        (some_images(2, 0), torch.full((2, 1, 7, 7), -1.0), {}, LayerError, r"in \[0, 1\]"),
        (some_images(2, 0), torch.full((2, 1, 7, 7), torch.nan), {}, LayerError, r"in \[0, 1\]"),
        (some_images(2, 0), some_images(2, 0).int(), {}, LayerError, "int32"),
        (some_images(2, 0), some_images(2, 1), {"real_captions": ["a"]}, ShapeError, "1 captions for 2"),
    ],
)
def test_images_that_cannot_be_judged_are_refused(tmp_path, real, generated, options, error, sentence):
    with pytest.raises(error, match=sentence):
        eyes_page(real, generated, tmp_path / "a.html", **options)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        page(tmp_path / "nowhere" / "a.html")
