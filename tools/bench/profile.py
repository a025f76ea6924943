"""The kernels of a training step, by each framework's own profiler.

The trace stays in traces/profile/: PyTorch's opens in Perfetto or
chrome://tracing, the other two in TensorBoard's profile plug-in.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from tools.bench.plan import KERAS, Job
from tools.bench.training import QUEUED, Training

Steps = Callable[[int], float]  # seconds of so many steps
SHOWN = 12  # kernels
STEPS = 4
# The runtimes' own events: they wait, pass a call on, or begin and end what
# Keras's `fit` takes its batches from. What they contain counts as their
# caller's.
RUNTIME = (
    *("ThreadpoolListener", "ParallelFor", "KernelAndDeviceFunc"),
    *("EagerExecute", "EagerKernelExecute", "convert_to_tensor"),
    *("ThunkExecutor", "np.asarray", "end: "),
    *("EagerLocalExecute: __inference", "TFE_", "MakeIterator"),
    *("ExecutorState::Process", "FunctionRun", "SlinkyThreadPool::Await"),
)
# Those of a tf.function have its name: of step.py, and of Keras.
FUNCTIONS = {"update", "multi_step_on_iterator"}


def measure(job: Job, folder: Path) -> dict:
    """A step's milliseconds, of the clock, of its kernels and by kernel.

    They are the means of a few steps. Those of a kernel are without what it
    calls. folder: of the images; the trace goes beside it.
    """
    if job.kind == KERAS:
        from tools.bench import peer

        steps = peer.fitter(job, folder)
    else:
        steps = Training(job, folder).steps
    steps(QUEUED)
    target = folder.parent / "profile" / f"{job.framework}-{job.mode}"
    target.mkdir(parents=True, exist_ok=True)
    seconds, kernels = PROFILERS[job.framework](steps, target)
    rows = [
        {
            "kernel": name,
            "calls": round(calls / STEPS),
            "milliseconds": time / STEPS,
        }
        for name, (calls, time) in kernels.items()
    ]
    rows.sort(key=lambda row: -row["milliseconds"])
    whole = sum(row["milliseconds"] for row in rows)
    return {
        "kernels": rows[:SHOWN],
        "milliseconds": whole,
        "step_milliseconds": 1000 * seconds / STEPS,
    }


def pytorch(steps: Steps, target: Path) -> tuple[float, dict]:
    """Seconds; calls and milliseconds by kernel, from torch.profiler."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    gpu = torch.cuda.is_initialized()  # by the steps before
    activity = ProfilerActivity.CUDA if gpu else ProfilerActivity.CPU
    with profile(activities=[activity]) as seen:
        seconds = steps(STEPS)
    seen.export_chrome_trace(str(target / "trace.json"))
    spent = "self_device_time_total" if gpu else "self_cpu_time_total"
    return seconds, {
        event.key: (event.count, getattr(event, spent) / 1000)
        for event in seen.key_averages()
    }


def tensorflow(steps: Steps, target: Path) -> tuple[float, dict]:
    """Seconds; calls and milliseconds by operation, from tf.profiler."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    with tf.profiler.experimental.Profile(str(target)):
        seconds = steps(STEPS)

    def read(plane, event) -> tuple:
        name = operation(plane.event_metadata[event.metadata_id].name)
        return name, event.offset_ps / 1000, event.duration_ps / 1000

    space = XSpace.FromString(newest(target).read_bytes())
    return seconds, own_times(lines_of(space.planes, read))


def operation(name: str) -> str:
    """The kind of an operation; in a graph its path stands before it."""
    return re.sub(r"^[^\s:]+:(?=\w+$)", "", name)


def jax(steps: Steps, target: Path) -> tuple[float, dict]:
    """Seconds; calls and milliseconds by kind of kernel, from jax.profiler.

    XLA numbers what has the same name: fusion.1, fusion.2.
    """
    from jax import profiler

    options = profiler.ProfileOptions()
    options.python_tracer_level = 0
    with profiler.trace(target, profiler_options=options):
        seconds = steps(STEPS)

    def read(_, event) -> tuple:
        name = re.sub(r"\.\d+$", "", event.name)
        return name, event.start_ns, event.duration_ns

    data = profiler.ProfileData.from_file(str(newest(target)))
    return seconds, own_times(lines_of(data.planes, read))


def lines_of(planes: Iterable, read: Callable) -> list[tuple[str, list]]:
    """What own_times takes; read: an event, from its plane and itself."""
    return [
        (plane.name, [read(plane, event) for event in line.events])
        for plane in planes
        for line in plane.lines
    ]


def newest(folder: Path) -> Path:
    """The trace that was written last."""
    return max(folder.rglob("*.xplane.pb"), key=lambda p: p.stat().st_mtime)


def own_times(lines: list[tuple[str, list[tuple]]]) -> dict:
    """Calls and milliseconds by name, without what an event contains.

    lines: for each thread or stream its plane's name and its events, each a
    name, a start and a duration in nanoseconds. Where a GPU was traced only
    its streams count.
    """
    gpu = any("GPU" in plane for plane, _ in lines)
    calls, times = Counter(), defaultdict(float)
    for plane, events in lines:
        if gpu != ("GPU" in plane):
            continue
        around: list[tuple[str, float]] = []  # name and end
        kernels = [
            event
            for event in events
            if event[0] not in FUNCTIONS and not event[0].startswith(RUNTIME)
        ]
        kernels.sort(key=lambda event: (event[1], -event[2]))
        for name, start, duration in kernels:
            while around and around[-1][1] <= start:
                around.pop()
            if around:
                times[around[-1][0]] -= duration / 1e6
            times[name] += duration / 1e6
            calls[name] += 1
            around.append((name, start + duration))
    return {name: (calls[name], time) for name, time in times.items()}


PROFILERS = {
    "pytorch": pytorch,
    "tensorflow_eager": tensorflow,
    "jax_flax": jax,
}
