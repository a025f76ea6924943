"""One way to drive any of the three frameworks from outside.

It imports the mirror's modules that train by name and the framework's adapter.
What the rungs ask for goes through the code that trains: `train_step` and
`eval_step` as `make_steps` gives them, `run_epoch`, `evaluate`, the batches.
"""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from common.checkpoint import VELOCITY, array_shapes
from common.cifar10.load import Split
from common.recipe import Recipe
from common.schedule import epoch_lrs

Arrays = dict[str, np.ndarray]


class Driver:
    """A framework, its device, and the arrays that its trace will hold."""

    model: ModuleType
    data: ModuleType
    step: ModuleType
    parallel: ModuleType
    checkpoint: ModuleType
    train: ModuleType

    def __init__(self, framework: str, device: str):
        self.framework = framework
        for name in self.__annotations__:
            module = import_module(f"frameworks.{framework}.{name}")
            setattr(self, name, module)
        self.adapter = import_module(
            f"parity_tests.harness.adapters.{framework}"
        )
        self.device = self.data.find_device(device)
        self.arrays: Arrays = {}
        self.folder = Path(".")  # where checkpoints and records go

    # --- The trace ----------------------------------------------------------

    def put(self, name: str, value) -> None:
        """Keep a value as `rung/precision/case/tensor`."""
        if name in self.arrays:
            raise ValueError(f"{name}: put twice")
        self.arrays[name] = np.asarray(value)

    def put_all(self, prefix: str, values: Arrays) -> None:
        """Keep values by name below a prefix."""
        for name, value in values.items():
            self.put(f"{prefix}/{name}", value)

    # --- State --------------------------------------------------------------

    def state(
        self,
        recipe: Recipe,
        arrays: Arrays | None = None,
        seed: int = 0,
        step: int = 0,
    ):
        """A state of these arrays; without any, with native weights.

        arrays: a velocity that is left out is 0.
        """
        self.data.configure(recipe, self.device)
        state = self.step.create_state(recipe, seed, self.device)
        if arrays is None:
            return state
        return self.load(state, arrays, recipe, step)

    def load(self, state, arrays: Arrays, recipe: Recipe, step: int = 0):
        """The state with these arrays; a velocity that is left out is 0."""
        whole = {
            name: np.zeros(shape, np.float32)
            for name, shape in array_shapes(recipe).items()
            if name.startswith(VELOCITY)
        } | arrays
        state = self.checkpoint.import_arrays(state, whole, step, recipe)
        return self.adapter.settle(state, self.device)

    def export(self, state, recipe: Recipe) -> Arrays:
        """All arrays of a state by canonical name, copied."""
        arrays = self.checkpoint.export_arrays(state, recipe)
        return {name: np.array(array) for name, array in arrays.items()}

    # --- Steps --------------------------------------------------------------

    def images(self, array: np.ndarray, recipe: Recipe):
        """Normalized images, (N, H, W, 3), as tensors for the network."""
        array = array.astype(recipe.param_dtype)
        return self.adapter.images(array, self.device)

    def labels(self, array: np.ndarray):
        """Labels as tensors."""
        return self.adapter.labels(array, self.device)

    def train_step(self, state, images, labels, lr: float, mode=None):
        """One step as the framework's default mode makes it."""
        train_step, _ = self.step.make_steps(state, mode or self.adapter.MODE)
        rate = self.adapter.rate(lr, self.device)
        return train_step(state, images, labels, rate)

    def whole_epoch(self, state, data, draws, epoch: int, recipe: Recipe):
        """An epoch as train() runs it, in JAX on a GPU; state and sums."""
        lrs = epoch_lrs(epoch, recipe)
        if scan := getattr(self.train, "scan_epoch", None):
            return scan(self.step.train_step, state, data, draws, lrs, recipe)
        train_step, _ = self.step.make_steps(state, self.adapter.MODE)
        batches = self.data.train_batches(data, draws, recipe)
        return self.train.run_epoch(train_step, state, batches, lrs)

    def eval_step(self, state, images, labels, mode=None) -> dict[str, float]:
        """The sums of a batch as the framework's default mode makes them."""
        _, eval_step = self.step.make_steps(state, mode or self.adapter.MODE)
        return self.numbers(eval_step(state, images, labels))

    def numbers(self, metrics: dict) -> dict[str, np.ndarray]:
        """Metrics as arrays."""
        return {k: self.adapter.array(v) for k, v in metrics.items()}

    def step_dtypes(self, state, train_step, images, labels) -> dict[str, str]:
        """Types of each ConvBN's output, the logits, and a real step's loss."""
        if inside := getattr(self.adapter, "step_dtypes", None):
            return inside(state, train_step, images, labels)  # PyTorch's
        found = dict(self.adapter.activations(state, images, True))
        rate = self.adapter.rate(0.0, self.device)
        _, metrics = train_step(state, images, labels, rate)
        found["loss"] = metrics["loss"]
        return {
            name: self.adapter.dtype(value)
            for name, value in found.items()
            if not name.endswith("pool")
        }

    def activations(self, state, images, train: bool) -> Arrays:
        """The probes as arrays, (N, H, W, C)."""
        named = self.adapter.activations(state, images, train)
        return {k: self.adapter.pictures(v) for k, v in named.items()}

    def grads(self, recipe: Recipe, arrays: Arrays, images, labels) -> Arrays:
        """Loss, correct and every gradient of one real training step.

        The recipe has no decay, the rate and the old velocity are 0: what
        train_step leaves as velocity is the gradient, bit for bit.
        """
        assert recipe.weight_decay == 0
        state = self.state(recipe, arrays)
        images, labels = self.images(images, recipe), self.labels(labels)
        state, metrics = self.train_step(state, images, labels, 0.0)
        found = self.numbers(metrics)
        for name, array in self.export(state, recipe).items():
            if name.startswith(VELOCITY):
                found[name.removeprefix(VELOCITY)] = array
        state = self.state(recipe, arrays)
        grad = self.adapter.image_grad(state, images, labels)
        found["images"] = self.adapter.pictures(grad)
        return found

    # --- Data ---------------------------------------------------------------

    def splits(self, arrays: Arrays, recipe: Recipe) -> tuple[tuple, tuple]:
        """The data of a training on the device, as train() prepares them."""
        self.data.configure(recipe, self.device)
        train = Split(arrays["x_train"], arrays["y_train"])
        test = Split(arrays["x_test"], arrays["y_test"])
        images, labels = self.data.to_device(train, self.device)
        padded = self.data.pad(images, recipe)
        return (padded, labels), self.data.to_device(test, self.device)


def in_precision(recipe: Recipe, precision: str) -> Recipe:
    """The same recipe, computed in this precision."""
    return replace(recipe, precision=precision)
