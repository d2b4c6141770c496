"""Facts on gradients: factors that vanish and explode, skips, and the formulas of small networks."""

import numpy as np
import pytest

from striate.reference import (
    TwoLayerNetwork,
    batch_normalisation,
    batch_statistics,
    binary_cross_entropy,
    binary_cross_entropy_backward,
    chain_of_units,
    dense_backward,
    layer_factor,
    leaky_relu,
    leaky_relu_derivative,
    sigmoid,
    sigmoid_derivative,
)


def test_the_derivative_of_the_sigmoid_peaks_at_a_quarter():
    scores = np.linspace(-20, 20, 4001)
    derivative = sigmoid_derivative(scores)
    assert derivative.max() == 0.25
    assert abs(scores[derivative.argmax()]) < 1e-12


@pytest.mark.parametrize(
    ("factor", "units", "product"), [(0.1, 10, 1e-10), (1.1, 10, 2.594), (1.1, 50, 117.4)]
)
def test_factors_multiply_along_a_chain(factor, units, product):
    chain = chain_of_units(1.0, [factor] * units, activation="relu")
    assert chain.factors == (pytest.approx(factor),) * units
    assert chain.input_gradient == pytest.approx(product, rel=5e-4)


def test_a_chain_of_sigmoids_vanishes_and_skips_keep_it_alive():
    plain = chain_of_units(0.5, [1.0] * 20)
    skipping = chain_of_units(0.5, [1.0] * 20, skips=True)
    assert max(plain.factors) <= 0.25
    assert plain.input_gradient < 0.25**20
    assert min(skipping.factors) >= 1
    assert skipping.input_gradient > 1


def test_the_factor_of_a_layer_with_a_skip_is_one_more():
    weight, score = 0.8, 1.3
    slope = float(sigmoid_derivative([score])[0])
    assert layer_factor(weight, score) == pytest.approx(weight * slope)
    assert layer_factor(weight, score, skips=True) == pytest.approx(1 + weight * slope)
    saturated = 40.0
    assert layer_factor(weight, saturated) == pytest.approx(0, abs=1e-15)
    assert layer_factor(weight, saturated, skips=True) == pytest.approx(1)


def test_a_skip_does_not_change_the_gradient_of_the_weight_under_it():
    plain, skipping = (chain_of_units(0.7, [1.4], [0.2], skips=skips) for skips in (False, True))
    slope = float(sigmoid_derivative([1.4 * 0.7 + 0.2])[0])
    assert plain.weight_gradients == skipping.weight_gradients == (pytest.approx(slope * 0.7),)
    assert skipping.activations[1] == pytest.approx(plain.activations[1] + 0.7)


def test_the_logistic_unit_with_cross_entropy():
    x, y, w, b = np.array([0.5, -2.0, 1.0]), 1.0, np.array([0.3, 0.1, -0.7]), 0.2
    a = float(sigmoid([w @ x + b])[0])
    assert binary_cross_entropy([w @ x + b], [y]) == pytest.approx(-np.log(a))
    dz = binary_cross_entropy_backward([w @ x + b], [y])
    assert dz[0] == pytest.approx(a - y)
    _, dw, db = dense_backward(dz[np.newaxis], x[np.newaxis], w[np.newaxis])
    assert dw[0] == pytest.approx(x * (a - y))
    assert db[0] == pytest.approx(a - y)


def test_one_hidden_layer_of_one_unit_by_hand():
    # z1 = 2*1 - 1 = 1, a1 = 1, z2 = 3*1 - 3 = 0, a2 = 1/2; y = 1, so dz2 = -1/2.
    network = TwoLayerNetwork(
        weights1=np.array([[2.0]]),
        bias1=np.array([-1.0]),
        weights2=np.array([[3.0]]),
        bias2=np.array([-3.0]),
        activation="relu",
    )
    gradients = network.gradients([[1.0]], [[1.0]])
    assert network.probabilities([[1.0]]).item() == 0.5
    assert network.loss([[1.0]], [[1.0]]) == pytest.approx(np.log(2))
    assert gradients.weights2.item() == -0.5  # dz2 a1
    assert gradients.bias2.item() == -0.5
    assert gradients.weights1.item() == -1.5  # w2 dz2 g'(z1) x
    assert gradients.bias1.item() == -1.5


def test_batch_normalisation_divides_by_the_biased_variance():
    values = [[1.0], [2.0], [6.0]]
    mean, variance = batch_statistics(values)
    assert mean.item() == 3
    assert variance.item() == pytest.approx((4 + 1 + 9) / 3)
    normal = batch_normalisation(values, [1], [0], epsilon=0.5)
    assert normal[:, 0] == pytest.approx((np.array([1, 2, 6]) - 3) / np.sqrt(14 / 3 + 0.5))


def test_the_slope_of_the_leaky_rectifier():
    assert leaky_relu([-100.0, 100.0]).tolist() == [-1.0, 100.0]
    assert leaky_relu_derivative([-100.0, 100.0]).tolist() == [0.01, 1.0]
