"""Parity on this machine: the CPU's traces beside the GPU's."""

import argparse

from tools.gpu_check.stages import Stages

SHARE = 0.4  # of the time that is left when it starts


def parity(
    stages: Stages, flags: argparse.Namespace, pythons: dict[str, str]
) -> None:
    """Traces on CPU and GPU, compared with each other and with stored ones."""
    end = stages.seconds_left * (1 - SHARE)
    for name, python in pythons.items():
        traces = {}
        for device in dict.fromkeys(("cpu", flags.device)):
            traces[device] = stages.out / "traces" / f"{name}-{device}.npz"
            command = [python, "-m", "parity_tests.trace"]
            command += ["--framework", name, "--device", device]
            command += ["--out", str(traces[device]), "--only", flags.rungs]
            limit = stages.seconds_left - end
            stages.run(f"trace {name} {device}", command, limit)
        # A trace beside itself would prove nothing.
        others = {} if flags.device == "cpu" else {"cpu": traces["cpu"]}
        if flags.stored:
            others["stored"] = flags.stored / f"{name}.npz"
        here = traces[flags.device]
        for what, other in others.items():
            if not (here.exists() and other.exists()):
                reason = "NOT COMPARED: no trace"
                stages.note(f"parity {name} {what}", reason, False)
                continue
            report = stages.out / f"parity {name} {what}"
            command = [python, "-m", "parity_tests.compare", str(here)]
            command += ["--against", str(other)]
            command += ["--json", f"{report}.json", "--html", f"{report}.html"]
            stages.run(f"parity {name} {what}", command, 300)
