"""Words for layers: every form is read, and whatever is none is refused with how it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import LayerError
from striate.models.layer_words import FORMS, MOST_LAYERS, read_layers


def test_every_form_is_read() -> None:
    layers = read_layers(
        "whitek4s2, conv32,conv48k5 ,conv8s2,conv9k7s3,max2,mean3,drop0.25,max,dense16,drop0.5"
    )
    figures = [(layer.kind, layer.amount, layer.kernel, layer.stride) for layer in layers]
    assert figures == [
        ("white", 0, 4, 2),
        ("conv", 32, 3, 1),
        ("conv", 48, 5, 1),
        ("conv", 8, 3, 2),
        ("conv", 9, 7, 3),
        ("max", 0, 2, 2),
        ("mean", 0, 3, 3),
        ("drop", 0.25, 0, 0),
        ("max", 0, 0, 0),
        ("dense", 16, 0, 0),
        ("drop", 0.5, 0, 0),
    ]
    assert [layer.is_on_maps for layer in layers] == [True] * 8 + [False] * 3
    assert [layer.is_global for layer in layers].index(True) == 8
    assert [layer.is_behind_maps for layer in layers] == [False] * 9 + [True] * 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cnv32", "there is no layer 'cnv32'; did you mean 'conv'?"),
        ("conv", "'conv' is no layer; conv is written conv32, conv32k5 or conv32k5s2"),
        ("conv0", "conv is written"),
        ("conv3.5", "conv is written"),
        ("conv32x5", "'conv32x5' is no layer; conv is written"),
        ("conv32k0", "conv is written"),
        ("conv32k5s0", "conv is written"),
        ("conv123456", "conv is written"),
        ("white32", "white is written"),
        ("max1", "max is written"),
        ("max2k2", "max is written"),
        ("mean2.5", "mean is written"),
        ("dense", "dense is written"),
        ("dense8s2", "dense is written"),
        ("drop1", r"drop is written drop0.2 \(a probability in \(0, 1\)\)"),
        ("drop0", "drop is written"),
        ("drop", "drop is written"),
        ("conv8,,max2", "there is no layer ''"),
        ("conv8,white", "'white' whitens the patches of images, so it can only be the first layer"),
        ("max,conv8", "'conv8' comes after 'max', which leaves no feature maps"),
        ("dense8,drop0.1,mean2", "'mean2' comes after 'dense8'"),
        ("mean,max", "'max' comes after 'mean'"),
        ("", "layers is '', where words with commas are wanted"),
        ("  ", "where words with commas are wanted"),
        (",".join(["conv8"] * (MOST_LAYERS + 1)), f"layers names {MOST_LAYERS + 1} layers"),
    ],
)
def test_what_is_no_layer_is_refused_with_how_it_is_written(text, sentence) -> None:
    with pytest.raises(LayerError, match=sentence):
        read_layers(text)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(LayerError, match="layers is 3, where words"):
        read_layers(3)


@given(st.text(alphabet="convdesrpmaxwhit0123456789.ks, ", max_size=30))
def test_any_text_is_read_or_refused_in_one_sentence(text) -> None:
    refusal = ""
    layers = ()
    try:
        layers = read_layers(text)
    except LayerError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert len(layers) == (0 if refusal else text.count(",") + 1)
    assert {layer.kind for layer in layers} <= FORMS.keys()
    assert all(layer.amount >= 0 and layer.kernel >= 0 for layer in layers)
