"""PyTorch's pieces: the model's own modules, under its own autocast."""

from collections.abc import Callable
from operator import attrgetter

import torch
import torch.nn.functional as F

from frameworks.pytorch.model import Dropout, cross_entropy
from tools.bench.parts import Part
from tools.bench.plan import Job
from tools.bench.training import Training

KERNELS = 12  # of the profile, to show


def random(part: Part, training: Training) -> torch.Tensor:
    """An input of a part: channels-last, of the type that it gets."""
    half = training.state.model.half and part.needs_input_grad
    shape = (training.recipe.batch_size, part.channels, part.side, part.side)
    dtype = torch.bfloat16 if half else torch.float32
    images = torch.randn(shape, dtype=dtype, device=training.device)
    images = images.to(memory_format=torch.channels_last)
    return images.requires_grad_(part.needs_input_grad)


def operation(part: Part, training: Training, rate: float) -> Callable:
    """The part as a function of its input."""
    model = training.state.model.train()
    if part.kind == "head":
        labels = training.arguments[1]
        return lambda images: cross_entropy(model.head(images), labels)
    block = attrgetter(part.block)(model)
    if part.kind == "sum":
        other = random(part, training).detach()
        return lambda images: images + other
    return {
        "conv": lambda images: block.conv(images),
        "batch norm": lambda images: block.bn(images),
        "ReLU": F.relu,
        "dropout": Dropout(rate).train(),
        "max pool": lambda images: block.pool(images),
    }[part.kind]


def passes(part: Part, training: Training, rate: float) -> tuple:
    """Two functions, forward and backward; None for a backward of nothing."""
    call, images = operation(part, training, rate), random(part, training)
    model = training.state.model

    def forward() -> torch.Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, model.half):
            return call(images)

    if part.kind == "sum":  # its gradient is that of its result
        return forward, None
    result = forward()
    sources = [images] if images.requires_grad else []
    if part.kind in ("conv", "batch norm"):
        block = attrgetter(part.block)(model)
        layer = block.conv if part.kind == "conv" else block.bn
        sources += layer.parameters()
    if part.kind == "head":
        sources += model.linear.parameters()
    grad = torch.ones_like(result)

    def backward() -> None:
        torch.autograd.grad(result, sources, grad, retain_graph=True)

    return forward, backward


def update(training: Training) -> Callable:
    """The optimizer's update of all weights."""
    state = training.state
    for weight in state.model.parameters():
        weight.grad = torch.zeros_like(weight)
    return lambda: state.optimizer.step()


def kernels(training: Training, job: Job) -> list[dict]:
    """What took longest in one step, by PyTorch's profiler, alone."""
    from torch.profiler import ProfilerActivity, profile

    gpu = training.device.type == "cuda"
    activity = ProfilerActivity.CUDA if gpu else ProfilerActivity.CPU
    with profile(activities=[activity]) as seen:
        training.steps(1)

    def spent(event) -> float:
        return (
            event.self_device_time_total if gpu else event.self_cpu_time_total
        )

    events = sorted(seen.key_averages(), key=spent, reverse=True)
    whole = sum(map(spent, events))
    return [
        {
            "framework": job.framework,
            "width": job.width,
            "precision": job.precision,
            "kernel": event.key,
            "calls": event.count,
            "milliseconds": spent(event) / 1000,
            "share": spent(event) / whole,
        }
        for event in events[:KERNELS]
    ]
