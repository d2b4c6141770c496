"""The words that name layers in a text: what each means, which forms it has, and where it may stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from striate.core.errors import LayerError, unknown_name

FORMS = {
    "conv": "conv32, conv32k5 or conv32k5s2 (feature maps, side of the window, stride)",
    "dense": "dense128 (hidden units)",
    "drop": "drop0.2 (a probability in (0, 1))",
    "max": "max2 (side of the window), or max for the largest value of each map",
    "mean": "mean2 (side of the window), or mean for the mean of each map",
    "white": "white or whitek4s2 (side of the patches, stride)",
}
"""Kind of layer -> how it is written."""

MOST_LAYERS = 200
USUAL_KERNEL = 3

_KIND = "|".join(FORMS)
_WORD = re.compile(rf"({_KIND})(\d{{1,5}}(?:\.\d{{1,6}})?)?(?:k(\d{{1,3}}))?(?:s(\d{{1,3}}))?")


@dataclass(frozen=True)
class Layer:
    """A layer that a word names.

    Args:
        word: as it was written.
        kind: a key of `FORMS`.
        amount: feature maps, hidden units or a probability; 0 where the kind has none.
        kernel: side of its windows; 0 where it has none.
        stride: from one window to the next; 0 where it has none.
        is_behind_maps: whether it comes where feature maps are no longer: behind a dense layer or a
            pooling of whole maps, or is a dense layer itself.
    """

    word: str
    kind: str
    amount: float
    kernel: int
    stride: int
    is_behind_maps: bool = False

    @property
    def is_global(self) -> bool:
        """Whether it pools whole maps."""
        return self.kind in ("max", "mean") and self.kernel == 0

    @property
    def is_on_maps(self) -> bool:
        """Whether it takes feature maps and gives feature maps."""
        return not (self.is_behind_maps or self.is_global)

    @property
    def is_window(self) -> bool:
        """Whether windows of its run over the maps."""
        return self.kernel > 0

    @property
    def padding(self) -> int:
        """Zeros on each side: none for poolings."""
        return (self.kernel - 1) // 2 if self.kind in ("conv", "white") else 0


def read_layers(text: str) -> tuple[Layer, ...]:
    """Read the layers that a text names.

    Args:
        text: words separated by commas; spaces do not matter.

    Returns:
        The layers in their order.

    Raises:
        LayerError: where a word is no layer, or stands at a wrong place.

    >>> [layer.kernel for layer in read_layers("conv32k5, max2, mean, dense64")]
    [5, 2, 0, 0]
    """
    if not isinstance(text, str) or not text.strip():
        raise LayerError(f"layers is {text!r}, where words with commas are wanted, such as conv32,max2,mean")
    words = [word.strip() for word in text.split(",")]
    if len(words) > MOST_LAYERS:
        raise LayerError(f"layers names {len(words):,} layers; at most {MOST_LAYERS} work")
    return _placed([_read(word) for word in words])


def _read(word: str) -> Layer:
    found = _WORD.fullmatch(word)
    if found is None:
        begun = re.match(r"[^\W\d_]*", word)
        kind = begun[0] if begun else ""
        near = next((each for each in FORMS if kind.startswith(each)), None)
        if near is None:
            raise LayerError(unknown_name("layer", word[:80], FORMS))
        raise LayerError(f"'{word[:80]}' is no layer; {near} is written {FORMS[near]}")
    kind, amount, kernel, stride = found.groups()
    layer = Layer(word, kind, float(amount or 0), int(kernel or 0), int(stride or 0))
    if not _is_written_right(layer, amount, kernel, stride):
        raise LayerError(f"'{word}' is no layer; {kind} is written {FORMS[kind]}")
    if kind in ("conv", "white"):
        return Layer(word, kind, layer.amount, layer.kernel or USUAL_KERNEL, layer.stride or 1)
    if kind in ("max", "mean") and amount is not None:
        return Layer(word, kind, 0, int(amount), int(amount))
    return layer


def _is_written_right(layer: Layer, amount: str | None, kernel: str | None, stride: str | None) -> bool:
    whole = amount is not None and "." not in amount
    if layer.kind in ("conv", "white"):
        fits = int(kernel or 1) >= 1 and int(stride or 1) >= 1
        return fits and (amount is None if layer.kind == "white" else whole and layer.amount >= 1)
    if kernel is not None or stride is not None:
        return False
    if layer.kind == "drop":
        return 0 < layer.amount < 1
    if layer.kind == "dense":
        return whole and layer.amount >= 1
    return amount is None or (whole and layer.amount >= 2)


def _placed(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    placed: list[Layer] = []
    end: Layer | None = None
    for number, layer in enumerate(layers):
        if layer.kind == "white" and number > 0:
            raise LayerError(
                f"'{layer.word}' whitens the patches of images, so it can only be the first layer"
            )
        behind = end is not None or layer.kind == "dense"
        if end is not None and layer.kind not in ("dense", "drop"):
            raise LayerError(
                f"'{layer.word}' comes after '{end.word}', which leaves no feature maps; convolutions and "
                "poolings come first, then dense layers"
            )
        placed.append(
            Layer(layer.word, layer.kind, layer.amount, layer.kernel, layer.stride, is_behind_maps=behind)
        )
        if layer.kind == "dense" or layer.is_global:
            end = end or layer
    return tuple(placed)
