"""Show that requirements/ can be installed on machines that are not here.

    python -m tools.pins
    python -m tools.pins --compile [--upgrade]

For each file, Python and processor, uv looks for a wheel of every package;
nothing is installed, and neither interpreter nor processor is needed. (pip
can look for other wheels, but reads the markers for its own machine.) With
--compile it makes the pinned files anew, from the short lists of what is
wanted, requirements/*.in. A version that is pinned stays unless --upgrade.
"""

import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from common.environments import PYTHONS, PYTORCH_CPU_INDEX

FOLDER = Path("requirements")
MACHINES = ("x86_64", "aarch64")
# The oldest C library that all wheels run on.
GLIBC = "2_28"
# PyTorch's CPU build is not on PyPI: if pip, and so uv here, is configured
# to find it elsewhere, then elsewhere, else in PyTorch's own index.
INDEX = ("--extra-index-url", PYTORCH_CPU_INDEX)


def names() -> list[str]:
    """The files to be installed; common.in is a part of the others."""
    return sorted(p.stem for p in FOLDER.glob("*.in") if p.stem != "common")


def run_uv(
    name: str, *words: str, given: str = ""
) -> subprocess.CompletedProcess:
    """`uv pip compile`, with PyTorch's index if it must be.

    given: what it reads where a word is "-".
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet"]
    command += words
    options = {"input": given, "capture_output": True, "text": True}
    done = subprocess.run(command, **options)
    if name == "pytorch-cpu" and "No solution found" in done.stderr:
        done = subprocess.run([*command, *INDEX], **options)
    return done


def pinned(text: str) -> dict[str, str]:
    """Versions by package, of a pinned file."""
    return dict(re.findall(r"^([\w.-]+)={2,3}([^\s;]+)", text, re.MULTILINE))


def check(row: tuple[str, str, str]) -> str:
    """What is wrong with a file for a Python and a processor; "" if nothing.

    Where PyTorch's index cannot be reached, all but torch is looked at.
    """
    name, python, machine = row
    text = (FOLDER / f"{name}.txt").read_text()
    words = (
        *("-", "--only-binary=:all:", "--no-header", "--no-annotate"),
        f"--python-version={python}",
        f"--python-platform={machine}-manylinux_{GLIBC}",
    )
    done = run_uv(name, *words, given=text)
    if "Failed to fetch" in done.stderr and PYTORCH_CPU_INDEX in done.stderr:
        rest = re.sub(r"^torch=.*\n", "", text, flags=re.M)
        done = run_uv("", *words, given=rest)
        if not done.returncode:
            return "PyTorch's index cannot be reached; all but torch fits"
    if done.returncode:
        return " ".join(line.strip() for line in done.stderr.splitlines())
    own = pinned(text)
    free = [n for n in pinned(done.stdout) if n not in own]
    return f"not pinned: {', '.join(free)}" if free else ""


def check_all() -> int:
    """Print a line for each file and its problems; the exit code."""
    rows = list(product(names(), PYTHONS, MACHINES))
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(rows, pool.map(check, rows), strict=True))
    columns = list(product(PYTHONS, MACHINES))
    print(" " * 15, *(f"{python} {machine:8}" for python, machine in columns))
    for name in names():
        words = (found[name, *column] for column in columns)
        print(f"{name:15}", *(f"{'NO' if w else 'yes':13}" for w in words))
    problems = {row: words for row, words in found.items() if words}
    for row, words in problems.items():
        print(f"{', '.join(row)}: {words}")
    print(
        f"{len(rows) - len(problems)} of {len(rows)} can be installed, "
        f"from wheels for glibc {GLIBC.replace('_', '.')} or newer"
    )
    return 1 if problems else 0


def compile_all(upgrade: bool) -> int:
    """Write requirements/*.txt from requirements/*.in; the exit code."""
    for name in names():
        wanted, path = FOLDER / f"{name}.in", FOLDER / f"{name}.txt"
        done = run_uv(
            *(name, str(wanted), "--output-file", str(path), "--universal"),
            *(f"--python-version={PYTHONS[0]}", "--no-annotate"),
            "--custom-compile-command=nox -s pins -- --compile",
            *(["--upgrade"] if upgrade else []),
        )
        if done.returncode:
            print(f"{name}: {done.stderr}", file=sys.stderr)
            return 1
        text = path.read_text()
        for exact in re.findall(r"^\S+===\S+", wanted.read_text(), re.M):
            # uv writes ==, which another build of that version fits as well.
            text = text.replace(exact.replace("===", "=="), exact)
        path.write_text(text)
        print(f"{name}: {len(pinned(text))} packages")
    return 0


def main() -> int:
    """Check, or compile, as the flags say; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--upgrade", action="store_true")
    flags = parser.parse_args()
    if flags.upgrade and not flags.compile:
        parser.error("--upgrade: expected beside --compile")
    return compile_all(flags.upgrade) if flags.compile else check_all()


if __name__ == "__main__":
    sys.exit(main())
