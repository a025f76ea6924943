"""One framework's numbers on all rungs of the ladder, in one file.

    python -m parity_tests.trace --framework pytorch --out X.npz

Run in the framework's own environment. Needs no data set and no network.
"""

import platform
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

import tyro

from common.errors import UserError
from common.run.machine import git_commit, library_versions
from common.run.usage import PathFlag
from parity_tests.harness import tracefile
from parity_tests.harness.cases import recipe_hash, source_hash
from parity_tests.harness.driver import Driver
from parity_tests.rungs import RUNGS


@dataclass(frozen=True)
class Flags:
    """Write one framework's trace."""

    # which one; its environment must be the one that runs this
    framework: Literal["tensorflow_eager", "pytorch", "jax_flax"]
    # the .npz to write
    out: PathFlag
    # where it computes; a GPU must be asked for
    device: Literal["cpu", "gpu"] = "cpu"
    # the same for all traces of one comparison
    run_id: str = "by-hand"
    # second pass: go on from the checkpoints that the first left here,
    # beside its traces
    exchange: PathFlag | None = None
    # only rungs whose names contain one of these
    only: tuple[str, ...] = ()


def main(argv: list[str] | None = None) -> int:
    """Make the trace; the exit code."""
    flags = tyro.cli(Flags, args=argv, config=(tyro.conf.FlagCreatePairsOff,))
    start = time.perf_counter()
    source = source_hash()  # of what runs, not of what is there at last
    try:
        driver = Driver(flags.framework, flags.device)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    driver.folder = flags.exchange or flags.out.parent
    driver.folder.mkdir(parents=True, exist_ok=True)
    names = ("rung7_exchange",) if flags.exchange else RUNGS
    for name in names:
        if flags.only and not any(word in name for word in flags.only):
            continue
        begun = time.perf_counter()
        import_module(f"parity_tests.rungs.{name}").trace(driver)
        took = time.perf_counter() - begun
        print(f"{flags.framework}: {name} {took:.1f} s", flush=True)
    facts = {
        "part": "exchange" if flags.exchange else "main",
        "run_id": flags.run_id,
        "framework": flags.framework,
        "versions": versions(flags.framework),
        "device": driver.data.describe_device(driver.device)["device"],
        "machine": f"{platform.platform()}, {platform.machine()}",
        "recipe_hash": recipe_hash(),
        "source_hash": source,
        "git_commit": git_commit(),
        "seconds": round(time.perf_counter() - start, 1),
    }
    tracefile.write(flags.out, facts, driver.arrays)
    return 0


def command(python: Path, framework: str, out: Path, run_id: str) -> list[str]:
    """The words that write a trace, in a framework's environment."""
    words = [str(python), "-m", "parity_tests.trace"]
    words += ["--framework", framework, "--out", str(out)]
    return [*words, "--run-id", run_id]


def caches(folder: Path) -> dict[str, str]:
    """Environment variables that let compiled programs be kept in a folder."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder.resolve() / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TORCHINDUCTOR_CACHE_DIR": str(folder.resolve() / "inductor"),
    }


def versions(framework: str) -> dict[str, str]:
    """Of Python and of the framework's libraries."""
    return {"python": platform.python_version()} | library_versions(framework)


if __name__ == "__main__":
    sys.exit(main())
