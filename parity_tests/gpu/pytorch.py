"""PyTorch's training as it would run on a GPU: each operation, each graph.

    python -m parity_tests.gpu.pytorch [--full] [--out FILE]

Run in PyTorch's environment, of the CPU too. "meta" stands in for the GPU: a
device whose tensors have no numbers, so that what would have to read one, or
meets a tensor of the CPU, is an error. Prints JSON: the operations of each
stage of the real program, which of them start kernels, and each that touches
a tensor of the CPU; then the graphs that the compiler gets in two epochs;
with --full the bytes of a step of dawnbench, and where the triton package is
installed what Inductor writes of it for an H100.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from unittest import mock

import torch
from torch._dynamo.utils import counters
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from common.cifar10 import synthetic
from common.draws import IMAGE_SIDE, epoch_draws
from common.init import IMAGE_CHANNELS
from common.recipe import Recipe
from common.schedule import epoch_lrs
from parity_tests.gpu import inductor
from parity_tests.gpu.command import main
from parity_tests.gpu.sizes import at_batch, host_seconds
from parity_tests.harness.cases import TRAJECTORY
from parity_tests.harness.driver import Driver

SGD = "torch.optim.sgd"
# They start no kernel: views, memory, marks for the profiler.
WITHOUT_KERNEL = {
    *("alias", "as_strided", "detach", "empty", "empty_like", "expand"),
    *("new_empty_strided", "permute", "select", "slice", "t", "transpose"),
    *("unbind", "unfold", "unsqueeze", "view", "squeeze"),
    *("_record_function_enter_new", "_record_function_exit"),
}
# By name: device, precision, dropout rate. What "meta" lacks and a GPU has,
# bfloat16 regions and the fused update, moves no tensor.
CASES = {
    f"{precision} dropout {dropout}, on {device}": (device, precision, dropout)
    for device, precision in (
        *(("meta", "float32"), ("cpu", "float32"), ("cpu", "bfloat16")),
    )
    for dropout in (0, 0.05)
}


class Recorder(TorchDispatchMode):
    """Note each operation, and each tensor that is on another device."""

    def __init__(self, device: torch.device):
        super().__init__()
        self.device = device
        self.ops, self.copies, self.bytes = Counter(), Counter(), 0

    def __torch_dispatch__(self, function, types, given=(), options=None):
        name = function.name().partition("::")[2].partition(".")[0]
        self.ops[name] += 1
        made = None
        if (self.device.type, name) != ("meta", "_fused_sgd_"):
            made = function(*given, **(options or {}))
        leaves = tree_leaves((given, options, made))
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        if any(tensor.device != self.device for tensor in tensors):
            self.copies[name] += name != "lift_fresh"  # of a new tensor
        if name not in WITHOUT_KERNEL:
            self.bytes += sum(map(size, tensors))
        return made

    def facts(self) -> dict:
        """What was seen."""
        kernels = {n: c for n, c in self.ops.items() if n not in WITHOUT_KERNEL}
        return {
            "ops": self.ops.total(),
            "kernels": sum(kernels.values()),
            "copies": dict(+self.copies),
        }


def size(tensor: torch.Tensor) -> int:
    """Bytes of its numbers."""
    return tensor.numel() * tensor.element_size()


def replay(device: torch.device, recipe: Recipe) -> dict:
    """All stages of a training, eagerly; by stage, what was seen."""
    driver, found = Driver("pytorch", "cpu"), {}
    driver.device = device

    def record(stage: str, run: Callable):
        with Recorder(device) as seen:
            result = run()
        found[stage] = seen.facts()
        return result

    arrays = synthetic.make(0, recipe.train_images, recipe.test_images)
    train, test = record("data", lambda: driver.splits(arrays, recipe))
    state = driver.step.create_state(recipe, 0, device)
    train_step, eval_step = driver.step.make_steps(state, "eager")
    draws, lrs = epoch_draws(0, 0, recipe), epoch_lrs(0, recipe)
    batches = driver.data.train_batches(train, draws, recipe)
    batches = record("batches", lambda: [*batches])
    for stage in ("first train step", "train step"):  # the first allocates
        record(stage, lambda: train_step(state, *batches[0], lrs[0]))
    batches = driver.data.eval_batches(test, recipe)
    batches = record("evaluation batches", lambda: [*batches])
    record("evaluation step", lambda: eval_step(state, *batches[0]))
    return found


def eager(recipe: Recipe) -> dict:
    """By case and stage."""
    found = {}
    for name, (device, precision, dropout) in CASES.items():
        own = replace(recipe, precision=precision, dropout_rate=dropout)
        with ExitStack() as stack:
            if device == "meta":
                for lacking, stand_in in (
                    ("torch.autocast", lambda *_, **__: nullcontext()),
                    (f"{SGD}._device_dtype_check_for_fused", lambda p: None),
                ):
                    stack.enter_context(mock.patch(lacking, stand_in))
            found[name] = replay(torch.device(device), own)
    return found


def full(recipe: Recipe) -> dict:
    """Bytes of a step of a full recipe: moved, and kept for backward."""

    def measure(images: int) -> tuple[int, int]:
        driver, kept = Driver("pytorch", "cpu"), {}
        driver.data.configure(recipe, driver.device)
        state = driver.step.create_state(recipe, 0, driver.device)
        shape = (images, IMAGE_SIDE, IMAGE_SIDE, IMAGE_CHANNELS)
        pixels = torch.zeros(shape).permute(0, 3, 1, 2)
        labels = torch.zeros(images, dtype=torch.int64)

        def keep(tensor):
            kept[tensor.data_ptr()] = size(tensor)
            return tensor

        with (
            Recorder(driver.device) as seen,
            torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t),
        ):
            driver.step.train_step(state, pixels, labels, 0.0)
        return seen.bytes, sum(kept.values())

    found = {
        name: at_batch(lambda n, i=i: measure(n)[i], recipe.batch_size)
        for i, name in enumerate(("bytes moved", "bytes kept"))
    }
    found["host seconds"] = host_seconds("pytorch", "eager", recipe)
    if find_spec("triton"):
        found["inductor"] = inductor.facts(recipe)
    return found


def compiled(recipe: Recipe) -> dict:
    """What the compiler is handed: graphs, breaks, and in later epochs.

    The recipe has partial batches. A graph for each size of batch, in training
    and in evaluation, is what there should be, and nothing after the warm-up.
    """
    driver, graphs = Driver("pytorch", "cpu"), []
    arrays = synthetic.make(0, recipe.train_images, recipe.test_images)
    train, test = driver.splits(arrays, recipe)
    state = driver.state(recipe)

    def backend(graph, inputs):
        graphs.append(len(graph.graph.nodes))
        return graph

    state.model.compile = partial(state.model.compile, backend=backend)
    torch._dynamo.reset()
    counters.clear()
    steps = driver.step.make_steps(state, "compiled")
    state = driver.train.warm_up(steps, state, train, test, recipe)
    after = [len(graphs)]
    for epoch in (0, 1):
        draws, lrs = epoch_draws(0, epoch, recipe), epoch_lrs(epoch, recipe)
        batches = driver.data.train_batches(train, draws, recipe)
        driver.train.run_epoch(steps[0], state, batches, lrs)
        batches = driver.data.eval_batches(test, recipe)
        driver.train.evaluate(steps[1], state, batches)
        after.append(len(graphs))
    return {
        "graphs": after[0],
        "graphs after the warm-up": after[-1] - after[0],
        "breaks": dict(counters["graph_break"]),
    }


def facts(recipe: Recipe = TRAJECTORY) -> dict:
    """All of it."""
    half = replace(recipe, precision="bfloat16")
    return {"eager": eager(recipe), "compiled": compiled(half)}


if __name__ == "__main__":
    main(facts, full)
