"""The oracle's whole network, backward pass, optimizer and training step."""

import numpy as np
import pytest

from common.init import parameter_table, shared_params
from common.recipe import Recipe
from parity_tests.oracle import layers as ol
from parity_tests.oracle import network as oracle

RECIPE = Recipe(width=2, batch_size=4, train_images=40, bn_eps=1e-3)
TRAINED = oracle.trained(RECIPE)


def make_params(recipe=RECIPE, seed=0):
    """A start in which no scale is 1 and no bias or mean 0."""
    rng = np.random.default_rng(seed)
    params = oracle.as_float64(shared_params(recipe, seed))
    for row in parameter_table(recipe):
        if row.role != "kernel":
            params[row.name] += rng.uniform(0.1, 0.5, row.shape)
    return params


def make_batch(n=3, seed=0):
    rng = np.random.default_rng([seed, 1])
    return rng.normal(size=(n, 32, 32, 3)), rng.integers(10, size=n)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


# --- Forward ---------------------------------------------------------------


@pytest.mark.parametrize("train", [True, False])
def test_the_layers_are_joined_as_the_specification_says(train):
    """Each activation again, from the one before it, layer by layer."""
    params, (images, _) = make_params(), make_batch()
    net = oracle.forward(params, images, RECIPE, train)
    acts = net.activations

    def conv_bn(name, x):
        x = ol.conv3x3(x, params[f"{name}.conv.kernel"])
        if train:
            stats = x.mean((0, 1, 2)), x.var((0, 1, 2))
        else:
            stats = params[f"{name}.bn.mean"], params[f"{name}.bn.var"]
        x = (x - stats[0]) / np.sqrt(stats[1] + 1e-3)
        x = x * params[f"{name}.bn.scale"] + params[f"{name}.bn.bias"]
        return np.maximum(x, 0)

    def pool(name):
        n, height, width, c = acts[name].shape
        squares = acts[name].reshape(n, height // 2, 2, width // 2, 2, c)
        return squares.max((2, 4))

    expected = {
        "prep": conv_bn("prep", images),
        "layer1.conv_bn": conv_bn("layer1.conv_bn", acts["prep"]),
        "layer1.pool": pool("layer1.conv_bn"),
        "layer1.res1": conv_bn("layer1.res1", acts["layer1.pool"]),
        "layer1.res2": conv_bn("layer1.res2", acts["layer1.res1"]),
        "layer1": acts["layer1.pool"] + acts["layer1.res2"],
        "layer2.conv_bn": conv_bn("layer2.conv_bn", acts["layer1"]),
        "layer2.pool": pool("layer2.conv_bn"),
        "layer2": acts["layer2.pool"],
        "layer3.conv_bn": conv_bn("layer3.conv_bn", acts["layer2"]),
        "layer3.pool": pool("layer3.conv_bn"),
        "layer3.res1": conv_bn("layer3.res1", acts["layer3.pool"]),
        "layer3.res2": conv_bn("layer3.res2", acts["layer3.res1"]),
        "layer3": acts["layer3.pool"] + acts["layer3.res2"],
        "head": acts["layer3"].max((1, 2)),
        "logits": acts["head"] @ params["linear.kernel"] * 0.125,
    }
    assert expected.keys() == acts.keys()
    for name, value in expected.items():
        # The same sums in nearly the same order, values of order 1. Strict:
        # of the same shape, and float64.
        np.testing.assert_allclose(
            acts[name], value, rtol=0, atol=1e-13, err_msg=name, strict=True
        )
    assert net.logits is acts["logits"]


def test_evaluation_of_an_image_does_not_depend_on_its_batch_mates():
    params, (images, _) = make_params(), make_batch(5)
    together = oracle.forward(params, images, RECIPE, train=False).logits
    alone = oracle.forward(params, images[2:3], RECIPE, train=False).logits
    # A matrix product of another size may add in another order.
    np.testing.assert_allclose(together[2:3], alone, rtol=0, atol=1e-13)

    # The opposite in training, where the mates make the statistics.
    trained = oracle.forward(params, images, RECIPE, train=True).logits
    other = images.copy()
    other[3] += 1
    changed = oracle.forward(params, other, RECIPE, train=True).logits
    assert np.abs(trained[2] - changed[2]).max() > 1e-4


def test_evaluation_keeps_the_statistics():
    params, (images, _) = make_params(), make_batch()
    net = oracle.forward(params, images, RECIPE, train=False)
    assert_same(net.stats, {name: params[name] for name in net.stats})
    assert len(net.stats) == 16


def test_backward_of_an_evaluation_is_an_error():
    images, labels = make_batch()
    net = oracle.forward(make_params(), images, RECIPE, train=False)
    with pytest.raises(ValueError, match="train=True"):
        oracle.backward(net, labels)


# --- Backward --------------------------------------------------------------

# The loss is near 10 and is computed to a few 1e-15, so that a difference
# over 2e-6 has an error of some 1e-9 to 1e-8; the largest derivative of a
# tensor is 0.007 to 1.1 here. A ReLU or pool within a step of its kink would
# add a share of its own, one of some 70,000. Seen over several seeds: up to
# 7e-8 of a tensor's largest derivative, so 1e-6 leaves a factor of 14. A
# wrong term or factor anywhere shows at 1e-3 or more.
WHOLE_STEP = 1e-6
WHOLE_DIFFERENCE = 1e-6


def test_backward_of_the_whole_network():
    params, (images, labels) = make_params(), make_batch()
    net = oracle.forward(params, images, RECIPE, train=True)
    grads, d_images = oracle.backward(net, labels)
    assert list(grads) == TRAINED

    tensors = {name: params[name] for name in TRAINED} | {"images": images}
    grads = grads | {"images": d_images}
    rng = np.random.default_rng(0)

    def slope(name, direction):
        losses = []
        for sign in (1, -1):
            moved = tensors[name] + sign * WHOLE_STEP * direction
            x = moved if name == "images" else images
            new = params if name == "images" else params | {name: moved}
            end = oracle.forward(new, x, RECIPE, train=True)
            losses.append(ol.cross_entropy(end.logits, labels))
        return (losses[0] - losses[1]) / (2 * WHOLE_STEP)

    for name, value in tensors.items():
        largest = np.abs(grads[name]).max()
        assert largest > 1e-3, f"{name}: nothing to compare"
        # One direction through all entries at once, then three alone.
        everywhere = rng.choice([-1.0, 1.0], value.shape)
        directions = [everywhere / np.sqrt(value.size)]
        for place in rng.choice(value.size, min(3, value.size), False):
            one = np.zeros(value.size)
            one[place] = 1
            directions.append(one.reshape(value.shape))
        for direction in directions:
            found = (grads[name] * direction).sum()
            error = abs(found - slope(name, direction))
            assert error <= WHOLE_DIFFERENCE * largest, name


# --- Running statistics ----------------------------------------------------


def test_all_running_statistics_come_from_the_convolution():
    params, (images, _) = make_params(), make_batch(2)
    net = oracle.forward(params, images, RECIPE, train=True)
    for name, (inputs, _, _) in net.inside.items():
        conv = ol.conv3x3(inputs, params[f"{name}.conv.kernel"])
        batch = {"mean": conv.mean((0, 1, 2))}
        batch["var"] = conv.var((0, 1, 2), ddof=1)
        for role, new in batch.items():
            stat = f"{name}.bn.{role}"
            wanted = 0.9 * params[stat] + 0.1 * new
            # A mean in another order, of values of order 1.
            np.testing.assert_allclose(
                net.stats[stat], wanted, rtol=0, atol=1e-14
            )
    assert len(net.inside) == 8


# --- Optimizer -------------------------------------------------------------


def like(params, value):
    return {name: np.full(params[name].shape, value) for name in TRAINED}


def test_the_optimizer_leaves_running_statistics_alone():
    params = make_params()
    velocity, grads = oracle.init_velocity(params, RECIPE), like(params, 1.0)
    new, velocity = oracle.optimizer_step(params, velocity, grads, 0.1, RECIPE)
    stats = params.keys() - set(TRAINED)
    assert_same({n: new[n] for n in stats}, {n: params[n] for n in stats})
    assert new.keys() == params.keys()
    assert list(velocity) == TRAINED


# --- Steps -----------------------------------------------------------------


def test_train_step_of_a_short_batch():
    """The decay counts the recipe's 4 images, the loss the 3 there are."""
    params, (images, labels) = make_params(), make_batch(3)
    lr = 0.01
    rng = np.random.default_rng(5)
    velocity = {n: rng.normal(size=params[n].shape) for n in TRAINED}
    net = oracle.forward(params, images, RECIPE, train=True)
    grads, _ = oracle.backward(net, labels)
    new, new_velocity, loss, correct = oracle.train_step(
        params, velocity, images, labels, lr, RECIPE
    )
    for name in TRAINED:
        g = grads[name] + 5e-4 * 4 * params[name]
        v = 0.9 * velocity[name] + g
        # The same operations, but for one factor's grouping.
        np.testing.assert_allclose(new_velocity[name], v, rtol=0, atol=1e-12)
        np.testing.assert_allclose(
            new[name], params[name] - lr * (g + 0.9 * v), rtol=0, atol=1e-13
        )
    assert_same({name: new[name] for name in net.stats}, net.stats)
    assert loss == ol.cross_entropy(net.logits, labels)  # of all 3, before
    assert correct == (net.logits.argmax(1) == labels).sum()


def test_train_step_changes_no_argument_and_answers_in_float64():
    params = shared_params(RECIPE, 0)  # float32
    images, labels = make_batch()
    images = images.astype(np.float32)
    velocity = oracle.init_velocity(params, RECIPE)
    arrays = {**params, "images": images, "labels": labels}
    before = {name: value.copy() for name, value in arrays.items()}
    new, new_velocity, loss, correct = oracle.train_step(
        params, velocity, images, labels, 0.1, RECIPE
    )
    assert_same(arrays, before)
    assert_same(velocity, like(params, 0.0))
    assert new.keys() == params.keys()
    for value in (*new.values(), *new_velocity.values()):
        assert value.dtype == np.float64
    assert type(loss) is float
    assert type(correct) is int


def test_eval_step_is_on_running_statistics():
    params, (images, labels) = make_params(), make_batch()
    logits = oracle.forward(params, images, RECIPE, train=False).logits
    loss, correct = oracle.eval_step(params, images, labels, RECIPE)
    assert loss == ol.cross_entropy(logits, labels)
    assert correct == (logits.argmax(1) == labels).sum()
