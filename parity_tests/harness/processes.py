"""Several processes of one framework on this machine, as its launcher does it.

    python -m parity_tests.harness.processes pytorch rung9_world two FOLDER

Run with the environment that `environments` gives, each process joins the
world and does a rung's `work`.
"""

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path

from common.world import World
from parity_tests.harness.cases import ROOT

# What gloo and NCCL choose an interface by.
LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
# The networks are tiny: one thread for each process.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "NPROC": "1",  # XLA's
    "TF_CPP_MIN_LOG_LEVEL": "2",
    **LOOPBACK,
}
LIMIT = 600  # seconds for all processes of a case


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody uses now, in a row.

    Raises RuntimeError if there are none. Not those that the kernel gives to
    outgoing connections, on Linux from 32768: one could take a port before the
    process that it is for. Each of pytest's workers has ports of its own.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw3").removeprefix("gw")
    low = 20_000 + 3_000 * (int(worker) % 4)
    for _ in range(100):
        first = random.SystemRandom().randrange(low, low + 3_000 - count)
        found = [*range(first, first + count)]
        with suppress(OSError), ExitStack() as stack:
            for port in found:
                each = stack.enter_context(socket.socket())
                each.bind(("127.0.0.1", port))
            return found
    raise RuntimeError(f"no {count} free ports")


def join(framework: str, rank: int, ports: Sequence[int]) -> dict[str, str]:
    """What tells a process which one of all it is, and where the first is."""
    if framework == "tensorflow_eager":
        workers = [f"127.0.0.1:{port}" for port in ports]
        task = {"type": "worker", "index": rank}
        config = {"cluster": {"worker": workers}, "task": task}
        return {"TF_CONFIG": json.dumps(config)}
    if framework == "jax_flax":
        return {
            "JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{ports[0]}",
            "JAX_NUM_PROCESSES": str(len(ports)),
            "JAX_PROCESS_ID": str(rank),
        }
    return {  # as torchrun does
        **{"RANK": str(rank), "LOCAL_RANK": str(rank)},
        "WORLD_SIZE": str(len(ports)),
        **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(ports[0])},
        **LOOPBACK,
    }


def environments(
    framework: str, size: int, port: int | None = None
) -> list[dict[str, str]]:
    """What each process finds in its environment, by rank.

    port: of the first process, else any.
    """
    ports = free_ports(size)
    if port is not None:
        ports[0] = port
    common = dict(ONE_THREAD)
    if size == 1:
        return [common]
    return [common | join(framework, rank, ports) for rank in range(size)]


def run_all(driver, rung: str, case: str, size: int, devices: int) -> None:
    """Let the processes of a case do their work in the driver's folder.

    Raises RuntimeError if one of them fails.
    """
    framework, folder = driver.framework, driver.folder
    words = ["-m", "parity_tests.harness.processes", framework, rung, case]
    words += [str(folder), str(devices)]
    children, logs = [], []
    try:
        for rank, own in enumerate(environments(framework, size)):
            logs.append(folder / f"{case}.{rank}.log")
            with logs[-1].open("w") as log:
                children.append(
                    subprocess.Popen(
                        [sys.executable, *words],
                        cwd=ROOT,
                        env=os.environ | own,
                        stdout=log,
                        stderr=log,
                    )
                )
        failed = wait(children)
    finally:
        for child in children:
            child.kill()
            child.wait()
    if failed is not None:
        # The first one found may have failed since another had.
        told = [last_lines(logs[failed], 3)]
        told += [last_lines(log, 1) for log in logs if log != logs[failed]]
        raise RuntimeError(" || ".join(told))


def last_lines(log: Path, count: int) -> str:
    """The end of what a process has said, on one line, after its name."""
    lines = log.read_text(errors="replace").splitlines() or ["nothing is said"]
    return f"{log.name}: {' | '.join(lines[-count:])}"


def wait(children: list[subprocess.Popen]) -> int | None:
    """Wait until all have ended well; else which one has not, first.

    Raises RuntimeError if they do not end.
    """
    end = time.monotonic() + LIMIT
    while True:
        codes = [child.poll() for child in children]
        for place, code in enumerate(codes):
            if code:
                return place
        if None not in codes:
            return None
        if time.monotonic() > end:
            raise RuntimeError(f"not done after {LIMIT} s")
        time.sleep(0.05)


def main(
    framework: str, rung: str, case: str, folder: str, devices: str
) -> None:
    """Join the world, do the work, and part."""
    parallel = import_module(f"frameworks.{framework}.parallel")
    world = parallel.join_world("cpu", int(devices))
    _work(framework, rung, case, Path(folder), world)
    parallel.leave_world(world)


def _work(
    framework: str, rung: str, case: str, folder: Path, world: World
) -> None:
    """Do the work; no network is left that refers to the world."""
    # Here, not above: it touches the device.
    from parity_tests.harness.driver import Driver

    driver = Driver(framework, "cpu")
    driver.folder = folder
    import_module(f"parity_tests.rungs.{rung}").work(driver, world, case)


if __name__ == "__main__":
    main(*sys.argv[1:])
