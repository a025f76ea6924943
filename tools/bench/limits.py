"""The machine's limit: the best convolution, and a plain matrix product.

Each alone, forward only, through the library that is known as the fastest
on the machine: oneDNN on a CPU, cuDNN on a GPU, both by way of PyTorch.
"""

from pathlib import Path

import torch

from common.run.process import tune_allocator
from frameworks.pytorch.data import describe_device, find_device
from tools.bench.count import convolutions
from tools.bench.plan import Job
from tools.bench.stats import gflops
from tools.bench.training import waiter

SIDE = 2_048  # of the square matrices
# Of what a step is timed: long enough that the median of a kind of work does
# not move with a moment's other work on the machine.
SHARE = 0.25
CPU_IMAGES = 128  # of a call on a CPU: work for many cores, and soon done


@torch.no_grad()
def measure(job: Job, folder: Path) -> dict:
    """GFLOP/s of the job's precision by kind of work."""
    tune_allocator()
    device, wait = find_device(job.device), waiter("pytorch")
    seconds = SHARE * job.seconds
    size = CPU_IMAGES if device.type == "cpu" else job.batch_size
    options = {"device": device, "dtype": getattr(torch, job.precision)}
    rates = {}
    for conv in convolutions(job.recipe()):
        shape = (size, conv.c_in, conv.side, conv.side)
        images = torch.randn(shape, **options)
        images = images.to(memory_format=torch.channels_last)
        layer = torch.nn.Conv2d(
            conv.c_in, conv.c_out, 3, padding=1, bias=False, **options
        ).to(memory_format=torch.channels_last)
        name = f"convolution {conv.label}"
        if name not in rates:
            rates[name] = gflops(
                lambda layer=layer, images=images: layer(images),
                conv.flop * size,
                wait,
                seconds,
            )
    a, b = torch.randn((2, SIDE, SIDE), **options)
    rates[f"matrix product {SIDE}"] = gflops(
        lambda: a @ b, 2 * SIDE**3, wait, seconds
    )
    found = [
        {"precision": job.precision, "what": what, "gflops": rate}
        for what, rate in rates.items()
    ]
    return {"limits": found, "device": describe_device(device)["device"]}
