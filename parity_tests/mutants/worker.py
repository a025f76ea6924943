"""A process that has a framework imported and forks a child per mutant.

    python -m parity_tests.mutants.worker pytorch traces/mutants

Run in the framework's environment. A line of JSON in, one out. The parent
imports libraries and loads the baseline, but runs no operation: neither
threads nor devices exist yet, so that a fork is a fresh process without the
seconds of import.
"""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from parity_tests.mutants.killers import FROM_OUTSIDE, NoVerdict, TimeLimit

LIBRARIES = {
    "pytorch": ("torch", "torch.optim"),
    "tensorflow_eager": ("tensorflow",),
    "jax_flax": ("jax", "jax.numpy", "flax.nnx", "optax"),
}
COMMON = (
    *("numpy", "rich.progress", "rich.table", "tyro", "safetensors.numpy"),
    *("filelock", "requests", "PIL.Image"),
)
OWN = {"common", "frameworks", "parity_tests", "tools"}


def load(home: Path) -> tuple:
    """Arrays by framework, the oracle's, and the plan."""
    import numpy as np

    def arrays(path: Path) -> dict:
        with np.load(path) as file:
            return {n: file[n] for n in file.files if n != "facts"}

    every = {p.stem: arrays(p) for p in sorted(home.glob("*.npz"))}
    oracle = every.pop("oracle")
    for name in [n for n in every if "." in n]:  # pytorch.exchange
        every[name.partition(".")[0]] |= every.pop(name)
    return every, oracle, json.loads((home / "plan.json").read_text())


def forget() -> None:
    """Let the child import this project anew, from its own tree."""
    for name in list(sys.modules):
        if name.partition(".")[0] in OWN:
            del sys.modules[name]


def child(job: dict, loaded: tuple) -> None:
    """Climb, write what came out, and end."""
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for place, handle in enumerate((nothing, log, log)):
        os.dup2(handle, place)
    os.chdir(job["tree"])
    sys.path.insert(0, job["tree"])
    forget()
    climbing = import_module("parity_tests.mutants.climb")
    try:
        found = climbing.climb(job, climbing.Baseline(*loaded))
    except climbing.NoVerdict as reason:
        found = {NoVerdict.__name__: str(reason)}
    Path(job["out"]).write_text(json.dumps(found))


def attend(pid: int, limit: float) -> str:
    """Wait for a child; "" if it ended well, else how it crashed.

    Raises NoVerdict if something else ended it.
    """
    end, done = time.monotonic() + limit, False
    try:
        while time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) in FROM_OUTSIDE:
                raise NoVerdict(f"ended by signal {os.WTERMSIG(status)}")
            if done and status:
                return f"crash: ended with status {status}"
            if done:
                return ""
            time.sleep(0.02)
        raise TimeLimit(f"not done after {limit:.0f} s")
    finally:  # Ctrl-C, too, must leave nobody behind
        if not done:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def main(framework: str, home: str) -> int:
    """Serve until the input ends."""
    for name in (*COMMON, *LIBRARIES[framework]):
        import_module(name)
    loaded = load(Path(home))
    for line in sys.stdin:
        job = json.loads(line)
        out = Path(job["out"])
        out.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            os.setpgrp()  # with what it starts it can be ended at once
            status = 1
            try:
                child(job, loaded)
                status = 0
            finally:
                os._exit(status)
        with suppress(OSError):  # whoever comes first
            os.setpgid(pid, pid)
        found = {"killed": "", "rung": None, "seconds": {}}
        try:
            found["killed"] = attend(pid, job["limit"])
        except NoVerdict as reason:
            found[type(reason).__name__] = str(reason)
        else:
            if out.exists() and not found["killed"]:
                found = json.loads(out.read_text())
            elif not found["killed"]:
                found["killed"] = "crash: no result"
        print("RESULT " + json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
