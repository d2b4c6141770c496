"""One's own eyes: a page that shows real and generated images one at a time, blinded, and keeps the score."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from striate.core.errors import LayerError, ShapeError
from striate.core.files import write_text
from striate.core.seeds import derive

FEWEST, MOST = 4, 2000
"""So many images a page shows: of fewer nothing can be said, and more are too large for a page."""

_WORD = 2**32


def eyes_page(
    real: Tensor,
    generated: Tensor,
    path: Path | str,
    *,
    title: str = "Real or generated?",
    real_captions: Sequence[str] = (),
    generated_captions: Sequence[str] = (),
    seed: int = 0,
) -> None:
    """Write a page that tests whether people can tell generated images from real ones.

    It shows the images one at a time, in an order that the seed draws, and asks of each whether it is real.
    At the end it gives the error rate (the share judged wrong, which is 50 % for guessing), that of either
    kind, their Wilson intervals, and the images judged wrong with their captions. Both kinds are stored
    alike, as 8-bit PNG without names, and the answers are not in the page's text. The page is one file that
    loads and sends nothing; keys, mouse and touch answer.

    Args:
        real: N x C x H x W, uint8 or floats in [0, 1], of 1 or 3 channels; best images that the generator has
            not seen.
        generated: as many (one more or less will do), likewise, of the same size.
        path: the HTML file to be made or replaced; its directory must exist.
        title: what the page is called.
        real_captions: of each real image, shown at the end, such as its class.
        generated_captions: of each generated one.
        seed: of the order.

    Raises:
        ShapeError: where there are no images of either kind, they differ in size, or captions in number.
        LayerError: where there are too few or too many, or they are not uint8 or in [0, 1].
        OSError: where the file cannot be written; what was there is then untouched.

    Source: Zhou et al., HYPE: a benchmark for human eye perceptual evaluation of generative models (2019),
    section 3.2: HYPE infinity, the error rate without a limit of time. What differs: nobody is trained or
    selected before.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     eyes_page(torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8), f"{folder}/eyes.html")
    """
    from jinja2 import Environment

    _check(real, generated)
    captions = [_captions(real_captions, len(real)), _captions(generated_captions, len(generated))]
    pictures = [*map(_data_url, as_bytes(real)), *map(_data_url, as_bytes(generated))]
    answers = [(kind, caption) for kind, of_kind in enumerate(captions) for caption in of_kind]
    generator = torch.Generator().manual_seed(derive(seed, "eyes"))
    order = torch.randperm(len(pictures), generator=generator).tolist()
    key = 1 + derive(seed, "eyes", "key") % (_WORD - 1)
    hidden = _hidden(json.dumps([answers[row] for row in order]), key)
    images = [pictures[row] for row in order]
    name = f"eyes-{hashlib.blake2b(''.join([hidden, *images]).encode(), digest_size=8).hexdigest()}"
    style, script, template = (
        files("striate.gan").joinpath(f"eyes.{kind}").read_text("utf-8") for kind in ("css", "js", "html")
    )
    text = (
        Environment(autoescape=True)
        .from_string(template)
        .render(
            policy=_policy(style, script),
            title=title,
            count=len(images),
            style=style,
            script=script,
            test={"name": name, "images": images, "answers": hidden, "key": key},
        )
    )
    write_text(path, text)


def as_bytes(images: Tensor) -> NDArray[np.uint8]:
    """Give images as bytes, rounded alike whatever they are of.

    Args:
        images: N x C x H x W, uint8 or floats in [0, 1].

    Returns:
        uint8, N x C x H x W.

    Raises:
        LayerError: where they are neither.

    >>> as_bytes(torch.tensor([[[[0.0, 0.5, 1.0]]]])).tolist()
    [[[[0, 128, 255]]]]
    """
    if images.dtype == torch.uint8:
        return np.asarray(images.cpu().numpy())
    if images.is_floating_point() and images.numel():
        low, high = (float(each) for each in images.aminmax())
        if low >= 0 and high <= 1:  # a NaN fails too
            whole: NDArray[np.uint8] = (images.detach().float() * 255).round().to(torch.uint8).cpu().numpy()
            return whole
        raise LayerError(
            f"images are uint8 or lie in [0, 1], and these have values from {low:.4g} to {high:.4g}"
        )
    raise LayerError(f"images are uint8 or floats in [0, 1], and these are {images.dtype}")


def _check(real: Tensor, generated: Tensor) -> None:
    shapes = [tuple(real.shape), tuple(generated.shape)]
    written = " and ".join("x".join(map(str, shape)) for shape in shapes)
    if any(len(shape) != 4 or 0 in shape or shape[1] not in (1, 3) for shape in shapes):
        raise ShapeError(f"real and generated images are {written}, where N x 1 or 3 x H x W each are wanted")
    if shapes[0][1:] != shapes[1][1:]:
        raise ShapeError(
            f"real and generated images are {written}: only those of one size and colour can be told apart "
            "by nothing but what they show"
        )
    if abs(shapes[0][0] - shapes[1][0]) > 1:
        raise LayerError(
            f"{shapes[0][0]} real and {shapes[1][0]} generated images cannot be: where one kind is rarer, to "
            "name the other is right more often than not; give as many of either"
        )
    total = shapes[0][0] + shapes[1][0]
    if not FEWEST <= total <= MOST:
        raise LayerError(f"{total} images cannot be judged on a page; {FEWEST} to {MOST:,} can")


def _captions(given: Sequence[str], count: int) -> list[str]:
    if given and len(given) != count:
        raise ShapeError(f"there are {len(given)} captions for {count} images; give one for each, or none")
    return list(given) or [""] * count


def _data_url(image: NDArray[np.uint8]) -> str:
    picture = Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _hidden(text: str, key: int) -> str:
    """Mix a text with numbers that the page draws too (Marsaglia's xorshift), so that it cannot be read."""
    state, mixed = key, bytearray()
    for letter in text.encode("ascii"):
        state ^= (state << 13) % _WORD
        state ^= state >> 17
        state ^= (state << 5) % _WORD
        mixed.append(letter ^ (state & 255))
    return base64.b64encode(mixed).decode("ascii")


def _policy(style: str, script: str) -> str:
    """Allow the page its own style, script and pictures, and nothing else."""
    digests = (hashlib.sha256(text.encode()).digest() for text in (style, script))
    own = [base64.b64encode(digest).decode("ascii") for digest in digests]
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{own[0]}'; script-src 'sha256-{own[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
