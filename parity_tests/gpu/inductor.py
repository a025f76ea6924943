"""PyTorch's compiled step as Inductor writes it for an H100, without one.

Inductor asks the driver what card there is; here a stand-in answers. The
graphs are those of the real training step, traced on the CPU and then moved
to a device "cuda" of fake tensors, which have shapes but no numbers. Nothing
is run: what Inductor writes is text. It needs the triton package, which the
CPU build of PyTorch does not bring along.
"""

import re
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import torch
from torch._dynamo.backends.common import aot_autograd
from torch._dynamo.device_interface import CudaInterface
from torch._functorch.aot_autograd import make_boxed_func
from torch._functorch.partitioners import min_cut_rematerialization_partition
from torch._inductor import compile_fx, config
from torch._inductor.debug import DebugContext
from torch._inductor.decomposition import select_decomp_table
from torch._inductor.graph import GraphLowering
from torch._inductor.virtualized import V
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.passes.fake_tensor_prop import FakeTensorProp
from torch.utils import _triton

from common.draws import IMAGE_SIDE
from common.init import IMAGE_CHANNELS
from common.recipe import Recipe
from frameworks.pytorch import data, step
from parity_tests.gpu.sizes import at_batch

H100 = SimpleNamespace(
    name="NVIDIA H100 80GB HBM3",
    major=9,
    minor=0,
    multi_processor_count=132,
    total_memory=85 * 10**9,
    regs_per_multiprocessor=65536,
    max_threads_per_multi_processor=2048,
    max_threads_per_block=1024,
    warp_size=32,
    shared_memory_per_block=49152,
    shared_memory_per_block_optin=232448,
    shared_memory_per_multiprocessor=233472,
    L2_cache_size=52428800,
    gcnArchName="",
)
# A line of the program that starts a kernel of Triton or of a library.
CALLS = re.compile(
    r"^\s+(?:\w+ = )?(triton_[a-z]+(?=\w*\.run\()|extern_kernels\.\w+"
    r"|torch\.ops\.aten\.\w+)",
    re.MULTILINE,
)


def facts(recipe: Recipe) -> dict:
    """Kernels of a training step's forward and backward, and their bytes."""
    found: dict[str, dict] = {}

    def measure(images: int) -> int:
        total = 0
        for name, traced in trace(replace(recipe, batch_size=images)).items():
            with ExitStack() as stack:
                for stand_in in an_h100():
                    stack.enter_context(stand_in)
                _triton.has_triton.cache_clear()
                text, moved = lower(*traced)
            _triton.has_triton.cache_clear()
            found[name] = dict(Counter(CALLS.findall(text)))
            total += moved
        return total

    return {
        "bytes moved": at_batch(measure, recipe.batch_size),
        "programs": found,
        "kernels": sum(sum(calls.values()) for calls in found.values()),
        # The gradient of a convolution is two of them.
        "convolutions": sum(
            (1 + ("backward" in call)) * count
            for calls in found.values()
            for call, count in calls.items()
            if "convolution" in call
        ),
    }


def trace(recipe: Recipe) -> dict:
    """The graphs of forward and backward, by the CPU's training step."""
    device, graphs = torch.device("cpu"), {}

    def record(name: str):
        def compiler(graph, inputs):
            graphs[name] = graph, inputs
            return make_boxed_func(graph.forward)

        return compiler

    data.configure(recipe, device)
    state = step.create_state(recipe, 0, device)
    state.model.compile(
        backend=aot_autograd(
            fw_compiler=record("forward"),
            bw_compiler=record("backward"),
            decompositions=select_decomp_table(),
            partition_fn=min_cut_rematerialization_partition,
        ),
        dynamic=False,
    )
    shape = (recipe.batch_size, IMAGE_SIDE, IMAGE_SIDE, IMAGE_CHANNELS)
    images = torch.zeros(shape).permute(0, 3, 1, 2)
    labels = torch.zeros(recipe.batch_size, dtype=torch.int64)
    step.train_step(state, images, labels, 0.0)
    return graphs


def an_h100() -> list:
    """What answers as the driver and the card would."""
    from triton.backends.compiler import GPUTarget
    from triton.runtime import driver

    target = GPUTarget("cuda", 10 * H100.major + H100.minor, H100.warp_size)
    answers = SimpleNamespace(get_current_target=lambda: target)
    patch = mock.patch.object
    constants = [
        *((torch.cuda, "get_device_properties", H100),),
        *((torch.cuda, "get_device_capability", (H100.major, H100.minor)),),
        *((torch.cuda, "current_device", 0), (torch.cuda, "device_count", 1)),
        *((torch.cuda, "is_available", True),),
        *((CudaInterface, "get_device_properties", H100),),
        *((CudaInterface, "get_compute_capability", 90),),
        *((CudaInterface, "is_available", True),),
        *((CudaInterface.Worker, "get_device_properties", H100),),
        *((CudaInterface.Worker, "current_device", 0),),
    ]
    return [
        patch(torch.version, "cuda", "13.0"),
        patch(driver, "_active", answers),
        *(
            patch(owner, name, staticmethod(lambda *_, value=value: value))
            for owner, name, value in constants
        ),
    ]


def lower(graph: torch.fx.GraphModule, inputs: list) -> tuple[str, int]:
    """The program that Inductor writes of a graph, and the bytes it moves."""
    gpu, fake = torch.device("cuda:0"), FakeTensorMode()
    for node in graph.graph.nodes:
        if node.kwargs.get("device") is not None:
            node.kwargs = node.kwargs | {"device": gpu}
    graph.recompile()
    with fake:
        moved = [
            torch.empty_strided(t.shape, t.stride(), dtype=t.dtype, device=gpu)
            if isinstance(t, torch.Tensor)
            else t
            for t in inputs
        ]
    FakeTensorProp(graph, mode=fake).propagate_dont_convert_inputs(*moved)
    with (
        V.set_fake_mode(fake),
        V.set_debug_handler(DebugContext()),
        config.patch({"compile_threads": 1}),
    ):
        compile_fx._recursive_post_grad_passes(graph, is_inference=False)
        lowering = GraphLowering(
            graph, example_inputs=moved, shape_env=fake.shape_env
        )
        with V.set_graph_handler(lowering):
            lowering.run(*moved)
            text = lowering.codegen()[0].value
            return text, lowering.count_bytes()[0]
