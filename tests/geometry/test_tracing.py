"""Every kind of network is followed: shapes, parameters, multiply-adds, memory, and who reads from whom."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from striate.geometry import Trace, TracedLayer, trace
from striate.models import CATALOGUE
from striate.nn import BlurPool, Conv, LocallyConnected, MaxPool, MedianPool, PolyphaseSampling, Residual


def flops(network: nn.Module, *shapes: tuple[int, ...]) -> int:
    """Torch's own count, of the network without weights and for one image."""
    network = network.to("meta").eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(*(torch.empty(1, *shape, device="meta") for shape in shapes))
    return counter.get_total_flops()


def last(found: Trace) -> TracedLayer:
    return found.layers[-1]


def sizes(layer: TracedLayer) -> list[int]:
    assert layer.fields is not None
    return [field.size if field is not None else -1 for field in layer.fields]


def whole(layer: TracedLayer) -> bool:
    assert layer.fields
    return all(field is not None and field.whole for field in layer.fields)


class Function(nn.Module):
    """Any function of tensors as a network."""

    def __init__(self, function, *parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(parts)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*self.parts, *inputs)


@pytest.mark.parametrize("name", CATALOGUE)
def test_multiply_adds_and_parameters_of_the_catalogue_are_torchs(name) -> None:
    with torch.device("meta"):
        network = CATALOGUE[name]()
    small = name in ("lenet", "mlp", "mnist-convnet") or name.startswith("compact") or name.endswith("-trunk")
    side = 28 if small else 224
    channels = 1 if side == 28 else 3
    found = trace(network, (channels, side, side))
    assert 2 * found.multiply_adds == flops(network, (channels, side, side))
    assert found.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert found.unused_parameters == 0
    assert last(found).output == (network(torch.empty(1, channels, side, side, device="meta")).shape[1],)


LAYERS = st.sampled_from(
    [
        lambda dims, width: convolution(dims)(width, 2, 3, padding=1),
        lambda dims, width: convolution(dims)(width, 4, 2, stride=2),
        lambda dims, width: convolution(dims)(width, 2 * width, 3, padding=2, dilation=2, groups=width),
        lambda dims, width: transposed(dims)(width, 3, 3, stride=2, padding=1, output_padding=1),
        lambda dims, width: nn.Sequential(nn.ReLU(), convolution(dims)(width, 3, 1, bias=False)),
        lambda dims, width: Residual(convolution(dims)(width, width, 3, padding=1)),
    ]
)


def convolution(dims: int) -> type[nn.Module]:
    return (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]


def transposed(dims: int) -> type[nn.Module]:
    return (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[dims - 1]


@settings(max_examples=40)
@given(dims=st.integers(1, 3), makers=st.lists(LAYERS, min_size=1, max_size=4))
def test_multiply_adds_and_shapes_of_made_up_networks_are_torchs(dims, makers) -> None:
    shape = (2, *(8, 9, 7)[:dims])
    parts: list[nn.Module] = []
    features = torch.empty(1, *shape, device="meta")
    for make in makers:
        if min(features.shape[2:]) < 4:
            break
        part = make(dims, features.shape[1]).to("meta")
        parts.append(part)
        features = part(features)
    network = nn.Sequential(*parts, nn.Flatten(), nn.Linear(features[0].numel(), 3, device="meta"))
    found = trace(network, shape)
    assert 2 * found.multiply_adds == flops(network, shape)
    assert found.parameters == sum(layer.parameters for layer in found.layers)
    assert found.layers[-3].output == tuple(features.shape[1:])


def test_functions_branches_and_concatenation_are_layers() -> None:
    def forward(one: nn.Module, two: nn.Module, images: Tensor) -> Tensor:
        features = F.relu(one(images))
        pooled = F.max_pool2d(features, 3, stride=1, padding=1)
        return F.max_pool2d(torch.cat([two(features), pooled], dim=1), 2)

    network = Function(forward, nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 5, padding=2))
    found = trace(network, (3, 12, 10))
    assert [layer.kind for layer in found.layers] == [
        "Conv2d",
        "relu",
        "max_pool2d",
        "Conv2d",
        "cat",
        "max_pool2d",
    ]
    assert [layer.name for layer in found.layers] == ["parts.0", "", "", "parts.1", "", ""]
    assert [layer.output for layer in found.layers[-2:]] == [(9, 12, 10), (9, 6, 5)]
    assert [layer.reads for layer in found.layers] == [(-1,), (0,), (1,), (1,), (2, 3), (4,)]
    assert sizes(last(found)) == [8, 8]  # 3, then 5, then 2
    assert found.layers[4].fields[0].to_dict() == {"size": 7, "jump": 1, "offset": -3, "whole": False}
    assert last(found).fields[0].jump == 2


def test_a_residual_sum_is_a_layer_and_in_place_functions_take_no_memory() -> None:
    network = nn.Sequential(Residual(nn.Conv2d(2, 2, 3, padding=1)), nn.ReLU(inplace=True), nn.ReLU())
    found = trace(network, (2, 8, 8))
    assert [layer.kind for layer in found.layers] == ["Conv2d", "add", "ReLU", "ReLU"]
    assert found.layers[1].reads == (-1, 0)
    assert [layer.activation_bytes for layer in found.layers] == [2 * 64 * 4, 2 * 64 * 4, 0, 2 * 64 * 4]
    assert found.activation_bytes == 3 * 2 * 64 * 4


def test_an_in_place_sum_does_not_change_what_was_computed_before() -> None:
    def forward(one: nn.Module, two: nn.Module, images: Tensor) -> Tensor:
        features = two(one(images))
        features += images
        return features

    found = trace(Function(forward, nn.Conv1d(1, 1, 3, padding=1), nn.Conv1d(1, 1, 3, padding=1)), (1, 9))
    assert [sizes(layer) for layer in found.layers] == [[3], [5], [5]]
    assert found.layers[-1].kind == "add"
    assert found.layers[-1].reads == (-1, 1)


def test_a_module_used_twice_has_its_parameters_counted_once() -> None:
    layer = nn.Conv2d(2, 2, 3, padding=1)
    found = trace(nn.Sequential(layer, nn.ReLU(), layer), (2, 6, 6))
    assert [each.name for each in found.layers] == ["0", "1", "0"]
    assert [each.parameters for each in found.layers] == [38, 0, 0]
    assert found.parameters == 38
    assert "counted where they are first used" in found.layers[2].note
    assert sizes(last(found)) == [5, 5]


def test_parameters_without_a_use_are_told_apart() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used = nn.Linear(4, 2)
            self.auxiliary = nn.Linear(4, 3)
            self.scale = nn.Parameter(torch.ones(2))

        def forward(self, features: Tensor) -> Tensor:
            return self.used(features) * self.scale

    found = trace(Net(), (4,))
    assert (found.parameters, found.unused_parameters) == (10 + 15 + 2, 15)
    assert [layer.parameters for layer in found.layers] == [10, 2]


def test_several_inputs_have_fields_of_their_own() -> None:
    def forward(one: nn.Module, two: nn.Module, image: Tensor, sound: Tensor) -> Tensor:
        return one(image).mean(dim=(2, 3)) + two(sound).amax(dim=2)

    network = Function(forward, nn.Conv2d(3, 4, 3), nn.Conv1d(1, 4, 5))
    found = trace(network, [(3, 8, 8), (1, 20)])
    assert found.inputs == ((3, 8, 8), (1, 20))
    by_kind = {layer.kind: layer for layer in found.layers}
    assert by_kind["Conv2d"].fields_by_input[1] is None
    assert by_kind["Conv1d"].input == 1
    assert sizes(by_kind["Conv1d"]) == [5]
    image, sound = last(found).fields_by_input
    assert all(field.whole for field in image)
    assert [field.whole for field in sound] == [True]
    assert by_kind["Conv1d"].reads == (-2,)


def test_tokens_can_be_given_by_example() -> None:
    network = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(24, 2))
    found = trace(network, torch.zeros(7, 6, dtype=torch.long))
    assert found.inputs == ((6,),)
    assert found.parameters == 40 + 50
    assert last(found).output == (2,)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_squeeze_and_excite_sees_the_whole_input(dims) -> None:
    def forward(one: nn.Module, gate: nn.Module, images: Tensor) -> Tensor:
        features = one(images)
        weights = gate(features.mean(dim=tuple(range(2, features.ndim)), keepdim=True))
        return features * torch.sigmoid(weights)

    network = Function(forward, convolution(dims)(1, 4, 3, padding=1), convolution(dims)(4, 4, 1))
    found = trace(network, (1, *(8, 7, 6)[:dims]))
    assert sizes(found.layers[0]) == [3] * dims
    assert whole(last(found))
    assert last(found).output == (4, *(8, 7, 6)[:dims])
    assert found.final_field == found.layers[0].fields


def test_attention_over_positions_sees_the_whole_input() -> None:
    class VisionTransformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 8, 4, stride=4)
            self.token = nn.Parameter(torch.zeros(1, 1, 8))
            self.places = nn.Parameter(torch.zeros(1, 13, 8))
            self.norm = nn.LayerNorm(8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 5)

        def forward(self, images: Tensor) -> Tensor:
            patches = self.patches(images).flatten(2).transpose(1, 2)
            tokens = torch.cat([self.token.expand(len(patches), -1, -1), patches], dim=1) + self.places
            normed = self.norm(tokens)
            tokens = tokens + self.attention(normed, normed, normed)[0]
            return self.head(tokens[:, 0])

    network = VisionTransformer()
    found = trace(network, (3, 16, 12))
    by_kind = {layer.kind: layer for layer in found.layers}
    assert sizes(by_kind["LayerNorm"]) == [4, 4]
    assert [field.jump for field in by_kind["LayerNorm"].fields] == [4, 4]
    assert whole(by_kind["MultiheadAttention"])
    assert whole(last(found))
    assert found.unused_parameters == 0
    counted = flops(network, (3, 16, 12))
    assert 2 * found.multiply_adds == counted


def test_scaled_dot_product_attention_counts_both_products() -> None:
    def forward(images: Tensor) -> Tensor:
        tokens = images.flatten(2).transpose(1, 2)[:, None]
        return F.scaled_dot_product_attention(tokens, tokens, tokens)

    found = trace(Function(forward), (8, 3, 4))
    assert found.multiply_adds == 12 * 12 * (8 + 8)
    assert whole(last(found))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_layers_are_one_layer_each(kind, bidirectional) -> None:
    network = kind(3, 4, num_layers=2, batch_first=True, bidirectional=bidirectional)
    found = trace(network, (6, 3))
    assert [layer.kind for layer in found.layers] == [kind.__name__]
    assert found.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert found.unused_parameters == 0
    assert last(found).output == (6, 8 if bidirectional else 4)
    assert whole(last(found))
    assert found.multiply_adds > 0


class ChannelShuffle(nn.Module):
    """Interleave two groups of channels by views."""

    def forward(self, features: Tensor) -> Tensor:
        count, channels, *size = features.shape
        return features.view(count, 2, channels // 2, *size).transpose(1, 2).reshape(count, channels, *size)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda x: x[:, :, ::2, 1:], [(3, 2, -1), (3, 1, 0)]),
        (lambda x: torch.chunk(x, 2, dim=1)[1], [(3, 1, -1), (3, 1, -1)]),
        (lambda x: F.pad(x, (2, 0, 1, 1)), [(3, 1, -2), (3, 1, -3)]),
        (lambda x: F.pad(x, (2, 1, 1, 1), mode="reflect"), [(3, 1, -2), (3, 1, -3)]),
        (lambda x: F.pad(x, (2, 1, 1, 1), mode="circular"), [(3, 1, -2), (3, 1, -3)]),
        (lambda x: F.pad(x, (2, 1, 1, 1), mode="replicate"), [(3, 1, -2), (3, 1, -3)]),
        (lambda x: F.pixel_unshuffle(x, 2), [(4, 2, -1), (4, 2, -1)]),
        (lambda x: x.transpose(2, 3).transpose(-1, -2), [(3, 1, -1), (3, 1, -1)]),
        (lambda x: x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2), [(3, 1, -1), (3, 1, -1)]),
        (lambda x: ChannelShuffle()(x), [(3, 1, -1), (3, 1, -1)]),
        (lambda x: F.channel_shuffle(x, 2), [(3, 1, -1), (3, 1, -1)]),
        (lambda x: x.unfold(2, 3, 2).amax(dim=-1), [(5, 2, -1), (3, 1, -1)]),
        (lambda x: torch.roll(x, 1, dims=2), [(3, 1, -2), (3, 1, -1)]),
        (lambda x: torch.flip(x, dims=(3,)), [(3, 1, -1), (3, -1, 6)]),
        (
            lambda x: F.interpolate(x, scale_factor=2),
            [(3, Fraction(1, 2), Fraction(-3, 2)), (3, Fraction(1, 2), Fraction(-3, 2))],
        ),
        (lambda x: F.adaptive_avg_pool2d(x, (4, 2)), [(4, 2, -1), (6, 4, -1)]),
        (lambda x: F.local_response_norm(x, 3), [(3, 1, -1), (3, 1, -1)]),
        (lambda x: torch.stack([x, x], dim=2).flatten(1, 2), [(3, 1, -1), (3, 1, -1)]),
        (lambda x: torch.einsum("nchw,cd->ndhw", x, torch.ones(4, 3)), [(3, 1, -1), (3, 1, -1)]),
        (lambda x: F.glu(x, dim=1), [(3, 1, -1), (3, 1, -1)]),
        (lambda x: F.layer_norm(x.movedim(1, -1), (4,)).movedim(-1, 1), [(3, 1, -1), (3, 1, -1)]),
        (lambda x: x.view(1, 4, 4, 2, 4, 2).mean(dim=(3, 5)), [(4, 2, -1), (4, 2, -1)]),
        (lambda x: x.repeat(1, 2, 1, 1), [(3, 1, -1), (3, 1, -1)]),
        (lambda x: x.double().half().float(), [(3, 1, -1), (3, 1, -1)]),
        (lambda x: torch.where(x > 0, x, torch.zeros(())), [(3, 1, -1), (3, 1, -1)]),
        (lambda x: x[:, torch.tensor([2, 0])], [(3, 1, -1), (3, 1, -1)]),
    ],
)
def test_functions_move_the_field_as_they_move_the_elements(function, wanted) -> None:
    network = Function(lambda layer, images: function(layer(images)) + 0, nn.Conv2d(1, 4, 3, padding=1))
    found = trace(network, (1, 8, 8))
    fields = last(found).fields
    assert fields is not None
    told = [(field.size, field.jump, field.offset) for field in fields if field is not None]
    assert told == wanted


def test_pixel_shuffle_and_its_inverse_cancel() -> None:
    def forward(images: Tensor) -> Tensor:
        return F.pixel_shuffle(F.pixel_unshuffle(images, 2), 2) * 1

    found = trace(Function(forward), (1, 8, 6))
    assert [(field.size, field.jump, field.offset) for field in last(found).fields] == [(1, 1, 0)] * 2


def test_a_convolution_can_follow_a_pixel_shuffle() -> None:
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(2, 1, 3, padding=1))
    found = trace(network, (1, 6, 6))
    field = last(found).fields[0]
    assert field.jump == Fraction(1, 2)
    assert list(field.elements(5, size=6)) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("function", "note"),
    [
        (lambda x: x.flatten(2)[:, :, :30].reshape(1, 4, 5, 6) * 2, "positions"),
        (lambda x: F.grid_sample(x, torch.zeros(1, 8, 8, 2), align_corners=False), "grid_sampler_2d"),
        (lambda x: torch.cat([x, x], dim=2), "side by side"),
        (lambda x: x + torch.flip(x, dims=(2,)), "move differently"),
    ],
)
def test_what_cannot_be_said_is_unknown_with_a_note(function, note) -> None:
    network = Function(lambda layer, images: function(layer(images)), nn.Conv2d(1, 4, 3, padding=1))
    found = trace(network, (1, 8, 8))
    assert last(found).fields is not None
    assert None in last(found).fields
    assert "receptive field is unknown" in last(found).note
    assert note in last(found).note
    assert any(note in each for each in found.notes)


def test_what_is_unknown_can_become_the_whole_input_again() -> None:
    def forward(images: Tensor) -> Tensor:
        mixed = F.grid_sample(images, torch.zeros(1, 8, 8, 2), align_corners=False)
        return mixed + images.mean(dim=(2, 3), keepdim=True)

    assert whole(last(trace(Function(forward), (1, 8, 8))))


def set_negative_to_zero(features: Tensor) -> Tensor:
    features[features < 0] = 0
    return features


def in_inference_mode(features: Tensor) -> Tensor:
    with torch.inference_mode():
        return F.conv2d(features, torch.zeros(2, 4, 1, 1)) * 2


class Square(torch.autograd.Function):
    """A function with a gradient of its own."""

    @staticmethod
    def forward(ctx, features: Tensor) -> Tensor:  # noqa: ARG004
        return features * features


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.data * 2,
        lambda x: torch.add(x, 1, out=torch.empty_like(x)),
        lambda x: torch.vmap(lambda image: F.relu(image) * 2)(x),
        lambda x: checkpoint(F.relu, x, use_reentrant=False),
        Square.apply,
        set_negative_to_zero,
        in_inference_mode,
        lambda x: x.cpu() + torch.arange(8.0),
        lambda x: torch.take_along_dim(x, torch.zeros(1, 1, 1, 1, dtype=torch.long), dim=1),
        lambda x: x.clone().fill_(0).add_(x),
        lambda x: x.repeat_interleave(1, dim=2),
    ],
)
def test_however_a_function_runs_nothing_is_lost(function) -> None:
    network = Function(lambda layer, images: function(layer(images)), nn.Conv2d(1, 4, 3, padding=1))
    assert sizes(last(trace(network, (1, 8, 8)))) == [3, 3]


def test_nearest_repetition_moves_in_halves_and_tiles_begin_anew() -> None:
    finer = last(trace(Function(lambda x: x.repeat_interleave(2, dim=2)), (1, 8, 8)))
    assert finer.fields[0].jump == Fraction(1, 2)
    tiled = last(trace(Function(lambda x: x.tile(1, 1, 2, 1)), (1, 8, 8)))
    assert tiled.fields[0] is None
    assert "begin anew" in tiled.note


def test_constants_on_a_real_device_can_meet_the_images() -> None:
    def forward(images: Tensor) -> Tensor:
        weights = torch.linspace(0, 1, 4)
        steps = int(weights.sum().item())  # of what no input has part in, the value is there
        return images * weights * steps

    found = trace(Function(forward), (1, 4, 4))
    assert sizes(last(found)) == [1, 1]


def test_group_and_instance_norm_see_every_place() -> None:
    for norm in (nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)):
        found = trace(nn.Sequential(nn.Conv2d(1, 4, 3), norm), (1, 8, 8))
        assert whole(last(found))
    found = trace(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)), (1, 8, 8))
    assert sizes(last(found)) == [3, 3]


def test_strides_that_leave_pixels_over_are_noted_with_the_arithmetic() -> None:
    found = trace(nn.Conv2d(1, 1, 3, stride=3), (1, 7, 9))
    assert found.layers[0].note == (
        "3 with stride 3 does not fit 7: (7 - 3)/3 + 1 = 2.33; padding 1 gives 3; the last element is "
        "never seen"
    )
    assert found.notes == (f"Conv2d: {found.layers[0].note}",)
    clean = trace(
        nn.Sequential(nn.Conv2d(3, 1, 7, stride=2, padding=3), nn.Conv2d(1, 1, 1, stride=2)), (3, 224, 224)
    )
    assert clean.notes == ()  # what is over lies in the padding, or is passed over everywhere


def test_weights_computed_from_weights_are_followed() -> None:
    plain = nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 3))
    spectral = nn.utils.parametrizations.spectral_norm(nn.Linear(12, 2))
    network = nn.Sequential(plain, nn.AdaptiveMaxPool2d(2), nn.Flatten(), spectral)
    found = trace(network, (2, 6, 6))
    assert [layer.kind for layer in found.layers] == ["Conv2d", "AdaptiveMaxPool2d", "Flatten", "Linear"]
    assert found.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert found.unused_parameters == 0


def test_layers_that_say_what_they_read_are_one_layer() -> None:
    network = nn.Sequential(
        Conv(1, 4, kernel=5, stride=2, padding="same-tf"),
        MaxPool(3, stride=1, padding=1),
        BlurPool(4),
        PolyphaseSampling(),
        MedianPool(3, stride=1),
        LocallyConnected(4, 2, size=(2, 2), kernel=2),
    )
    found = trace(network, (1, 32, 32))
    assert [layer.kind for layer in found.layers] == [
        "Conv",
        "MaxPool",
        "BlurPool",
        "PolyphaseSampling",
        "MedianPool",
        "LocallyConnected",
    ]
    assert [layer.output for layer in found.layers] == [
        (4, 16, 16),
        (4, 16, 16),
        (4, 8, 8),
        (4, 4, 4),
        (4, 2, 2),
        (2, 1, 1),
    ]
    assert [layer.fields[0].size for layer in found.layers] == [5, 9, 13, 17, 33, 41]
    assert found.layers[-1].multiply_adds == 4 * 2 * 2 * 2


def test_a_module_of_functions_is_one_layer_unless_it_holds_several() -> None:
    class Swish(nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            return features * torch.sigmoid(features)

    class Stem(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Parameter(torch.zeros(4, 1, 3, 3))
            self.two = nn.Parameter(torch.zeros(4, 4, 3, 3))

        def forward(self, images: Tensor) -> Tensor:
            return F.conv2d(F.conv2d(images, self.one), self.two)

    found = trace(nn.Sequential(Stem(), Swish()), (1, 8, 8))
    assert [(layer.name, layer.kind, layer.functional) for layer in found.layers] == [
        ("0", "conv2d", True),
        ("0", "conv2d", True),
        ("1", "Swish", False),
    ]
    assert [layer.parameters for layer in found.layers] == [36, 144, 0]
    assert found.layers[2].reads == (1,)


def test_dropout_is_shown_and_the_identity_is_not() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Identity(), nn.Linear(4, 2))
    found = trace(network, (4,))
    assert [layer.kind for layer in found.layers] == ["Linear", "Dropout", "Linear"]
    assert [layer.reads for layer in found.layers] == [(-1,), (0,), (1,)]
    assert found.layers[1].activation_bytes == 0


def test_lazy_layers_and_half_precision_are_followed() -> None:
    lazy = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(2))
    found = trace(lazy, (3, 6, 6))
    assert found.parameters == 4 * 28 + (64 * 2 + 2)
    assert isinstance(lazy[0].weight, nn.UninitializedParameter)
    half = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).to(torch.bfloat16)
    assert trace(half, (3, 6, 6)).activation_bytes == 2 * 2 * 4 * 16


def test_the_trace_is_json() -> None:
    import json

    network = nn.Sequential(nn.ConvTranspose2d(1, 2, 3, stride=2), nn.Flatten(), nn.Linear(2 * 81, 3))
    said = json.loads(json.dumps(trace(network, (1, 4, 4)).to_dict()))
    assert said["inputs"] == [[1, 4, 4]]
    assert said["layers"][0]["fields"][0][0]["jump"] == 0.5
    assert said["multiply_adds"] == 16 * 2 * 9 + 3 * 162
    assert math.prod(said["layers"][0]["output"]) == 162
