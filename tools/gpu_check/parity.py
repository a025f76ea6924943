"""Parity on this machine: the CPU's traces beside the GPU's."""

import argparse
from pathlib import Path

from tools.gpu_check.stages import Stages

SHARE = 0.5  # of the time that is left when it starts
LONGEST = 300  # seconds of a comparison: the oracle's, all in all
# As in noxfile.py: a trace compiles the same programs again and again.
CACHE = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
# The oracle's products are small: OpenBLAS's threads are in the way.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


def parity(
    stages: Stages, flags: argparse.Namespace, pythons: dict[str, str]
) -> None:
    """Traces on CPU and GPU, compared with each other and with stored ones.

    The time is shared equally: a slow framework must not take that of the
    others. What one leaves over is for the next.
    """
    end = stages.seconds_left * (1 - SHARE)
    cache = CACHE | {"JAX_COMPILATION_CACHE_DIR": str(stages.out / "cache")}
    for place, (name, python) in enumerate(pythons.items()):
        each = (stages.seconds_left - end) / (len(pythons) - place)
        stop, traces = stages.seconds_left - each, {}
        # The GPU's first: it may be compared with a stored trace.
        for device in dict.fromkeys((flags.device, "cpu")):
            traces[device] = stages.out / "traces" / f"{name}-{device}.npz"
            command = [python, "-m", "parity_tests.trace"]
            command += ["--framework", name, "--device", device]
            command += ["--out", str(traces[device]), "--only", *flags.rungs]
            limit = stages.seconds_left - stop
            stages.run(f"trace {name} {device}", command, limit, cache)
        compare(stages, flags, name, python, traces)


def compare(
    stages: Stages,
    flags: argparse.Namespace,
    name: str,
    python: str,
    traces: dict[str, Path],
) -> None:
    """The trace of this device beside the CPU's and beside a stored one."""
    # A trace beside itself would prove nothing.
    others = {} if flags.device == "cpu" else {"cpu": traces["cpu"]}
    if flags.stored:
        others["stored"] = flags.stored / f"{name}.npz"
    here = traces[flags.device]
    for what, other in others.items():
        stage = f"parity {name} {what}"
        if not (here.exists() and other.exists()):
            missing = here if not here.exists() else other
            stages.note(stage, f"NOT COMPARED: no trace {missing}", False)
            continue
        command = [python, "-m", "parity_tests.compare", str(here)]
        command += ["--against", str(other)]
        for form in ("json", "html"):
            command += [f"--{form}", str(stages.out / f"{stage}.{form}")]
        stages.run(stage, command, LONGEST, ONE_THREAD)
