"""What is there: the GPU, the frameworks, and a Python for each."""

import argparse
import json
import os
import subprocess
import sys
from contextlib import suppress

from common.environments import find_python
from common.errors import UsageError
from common.run.machine import processor
from tools.gpu_check.stages import ROOT, Stages

LONGEST = 120  # seconds of a probe: the first import from a slow disk
# JAX last: its traces take longest, with what the others leave over.
FRAMEWORKS = ("pytorch", "tensorflow_eager", "jax_flax")
# Prints what a framework sees; a reason why not goes to standard error.
PROBE = """
import json, sys
from importlib import import_module
data = import_module(f"frameworks.{sys.argv[1]}.data")
import_module(f"frameworks.{sys.argv[1]}.train")
from common.run.machine import library_versions
found = library_versions(sys.argv[1])
facts = data.describe_device(data.find_device(sys.argv[2]))
print(json.dumps({"versions": found, "device": facts["device"]}))
"""


def look(stages: Stages, flags: argparse.Namespace) -> dict[str, str]:
    """The frameworks that can run, and the Python of each; all is written.

    This Python if it has the framework, else that of nox's environment.
    """
    cards = "--query-gpu=name,memory.total,driver_version,compute_cap"
    found = {
        "gpus": output(
            "nvidia-smi", cards, "--format=csv,noheader"
        ).splitlines(),
        "nvidia-smi": output("nvidia-smi") or "no answer",
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "frameworks": {},
    }
    pythons = {}
    for name in flags.frameworks:
        reasons, candidates = [], [sys.executable]
        with suppress(UsageError):
            candidates.append(str(find_python(ROOT / ".nox", name)))
        for python in candidates:
            try:
                done = subprocess.run(
                    [python, "-c", PROBE, name, flags.device],
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    timeout=min(LONGEST, max(1, stages.seconds_left)),
                )
            except subprocess.TimeoutExpired as hung:  # a broken driver
                reasons.append(f"no answer in {hung.timeout:.0f} s")
                continue
            if done.returncode == 0:
                seen = json.loads(done.stdout.splitlines()[-1])
                found["frameworks"][name] = {"python": python} | seen
                pythons[name] = python
                stages.note(f"found {name}", json.dumps(seen), True)
                break
            reasons += done.stderr.strip().splitlines()[-1:]
        else:
            found["frameworks"][name] = {"not run": reasons}
            stages.note(
                f"found {name}", f"NOT RUN: {'; '.join(reasons)}", False
            )
    stages.write("found", found)
    return pythons


def output(*command: str) -> str:
    """What a program prints; "" where it is not there, or hangs."""
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60
        ).stdout
    return ""
