"""The two-layer network: its formulas are autograd's gradients, and by them it learns real things."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits, make_moons

from striate.core.errors import LayerError, ShapeError
from striate.reference import ACTIVATIONS, TwoLayerNetwork, new_two_layer_network, train_two_layer_network

TORCH = {
    "leaky-relu": lambda scores: F.leaky_relu(scores, 0.01),
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
NAMES = ("weights1", "bias1", "weights2", "bias2")


@settings(max_examples=60)
@given(
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3)),
    samples=st.integers(1, 6),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    seed=st.integers(0, 999),
)
def test_its_gradients_are_autograds(sizes, samples, activation, seed, agree):
    network = new_two_layer_network(*sizes, activation=activation, seed=seed)
    generator = np.random.default_rng(seed)
    inputs, targets = generator.normal(size=(samples, sizes[0])), generator.random((samples, sizes[2]))
    tensors = [torch.tensor(getattr(network, name), requires_grad=True) for name in NAMES]
    hidden = TORCH[activation](F.linear(torch.tensor(inputs), *tensors[:2]))
    scores = F.linear(hidden, *tensors[2:])
    loss = F.binary_cross_entropy_with_logits(scores, torch.tensor(targets), reduction="sum") / samples
    agree(network.probabilities(inputs), scores.sigmoid())
    agree(network.loss(inputs, targets), loss)
    loss.backward()
    for ours, tensor in zip(network.gradients(inputs, targets), tensors, strict=True):
        agree(ours, tensor.grad)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_its_gradients_are_the_central_differences(activation, agree, slopes):
    network = new_two_layer_network(3, 4, 2, activation=activation)
    generator = np.random.default_rng(1)
    inputs, targets = generator.normal(size=(5, 3)), generator.random((5, 2))
    theirs = slopes(
        lambda *arrays: TwoLayerNetwork(**dict(zip(NAMES, arrays, strict=True)), activation=activation).loss(
            inputs, targets
        ),
        *(getattr(network, name) for name in NAMES),
    )
    for ours, slope in zip(network.gradients(inputs, targets), theirs, strict=True):
        agree(ours, slope, 1e-7)


def test_it_learns_the_two_moons_that_no_line_parts():
    points, labels = make_moons(400, noise=0.15, random_state=0)
    targets = labels[:, np.newaxis]
    trained, losses = train_two_layer_network(
        new_two_layer_network(2, 16, 1), points[:200], targets[:200], steps=1500, rate=1.0
    )
    right = (trained.probabilities(points[200:]) > 0.5) == targets[200:]
    assert right.mean() > 0.96  # a line gets 0.9
    assert losses[-1] < losses[0] / 5
    assert len(losses) == 1501


def test_it_learns_to_read_digits_that_it_has_not_seen():
    scans = load_digits()
    inputs, targets = scans.data / 16, np.eye(10)[scans.target]
    trained, losses = train_two_layer_network(
        new_two_layer_network(64, 32, 10, activation="relu"), inputs[::2], targets[::2], steps=250, rate=0.7
    )
    right = trained.probabilities(inputs[1::2]).argmax(axis=1) == scans.target[1::2]
    assert right.mean() > 0.92
    assert losses[-1] < losses[0] / 20


def test_one_step_goes_down_and_leaves_the_network_as_it_was():
    network = new_two_layer_network(2, 3, 1, seed=4)
    before = [getattr(network, name).copy() for name in NAMES]
    inputs, targets = [[0.5, -1.0], [2.0, 0.1]], [[1.0], [0.0]]
    after = network.step(inputs, targets, rate=0.1)
    assert after.loss(inputs, targets) < network.loss(inputs, targets)
    for name, old, slope in zip(NAMES, before, network.gradients(inputs, targets), strict=True):
        assert getattr(network, name).tolist() == old.tolist()
        assert getattr(after, name) == pytest.approx(old - 0.1 * slope)


def test_a_seed_gives_one_network_and_another_seed_another():
    first, again, other = (new_two_layer_network(2, 3, 1, seed=seed).weights1.tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_what_is_no_network_is_refused():
    network = {"weights1": np.zeros((3, 2)), "bias1": np.zeros(3), "weights2": np.zeros((1, 3))}
    for change, sentence in (
        ({"bias2": np.zeros(2)}, "bias2: the shape is 2 where 1 is needed"),
        ({"bias2": np.zeros(1), "bias1": np.zeros(2)}, "bias1: the shape is 2 where 3 is needed"),
        ({"bias2": np.zeros(1), "weights2": np.zeros((1, 4))}, "weights2: the shape is 1x4 where 1x3"),
        ({"bias2": np.zeros(1), "weights1": np.zeros(3)}, "weights1 of shape 3 is no matrix"),
    ):
        with pytest.raises(ShapeError, match=sentence):
            TwoLayerNetwork(**{**network, **change})
    with pytest.raises(ShapeError, match="layers of 2, 0 and 1 units make no network"):
        new_two_layer_network(2, 0, 1)
    with pytest.raises(LayerError, match="no activation 'thanh'; did you mean 'tanh'"):
        new_two_layer_network(2, 3, 1, activation="thanh")


def test_what_does_not_fit_a_network_is_refused():
    network = new_two_layer_network(2, 3, 1)
    with pytest.raises(ShapeError, match="inputs of shape 1x3 do not fit a network of 2 inputs"):
        network.probabilities([[1, 2, 3]])
    with pytest.raises(ShapeError, match="targets: the shape is 1 where 1x1 is needed"):
        network.gradients([[1, 2]], [1])
    with pytest.raises(LayerError, match="target 2 is no probability"):
        network.loss([[1, 2]], [[2]])
    with pytest.raises(LayerError, match="a learning rate of 0 learns nothing"):
        train_two_layer_network(network, [[1, 2]], [[1]], steps=1, rate=0)
