"""Made-up reports of mutants and benchmark, for the tests of the site.

No measurement: the numbers follow a rule that a test can follow too.
"""

import json
from itertools import product
from pathlib import Path

from tools.site.bench import FORMAT, OWN_MODE
from tools.site.contract import FRAMEWORKS
from tools.site.mutants import FORMAT as MUTANTS_FORMAT

PRECISIONS = "float32", "bfloat16"
SURVIVOR = {"line": 12, "change": "`x + 1` -> `x <b>`", "judged": ""}
JUDGED = {"line": 30, "change": "`>=` -> `>`", "judged": "equivalent: no tie"}


def write(path: Path, data) -> Path:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def named() -> list[dict]:
    """Cells of a matrix: killed on each rung, survived, equivalent."""
    base = {"rung": None, "killed_by": "", "seconds": 1.0, "equivalent": ""}
    rows = []
    for place, mutant in enumerate(
        ("labels-shifted", "pad-mode-zeros", "init-default-left", "bn-eps-1e3",
         "bn-momentum-swapped", "loss-reduction-mean", "nesterov-lr-inside",
         "weight-decay-coupling-decoupled")
    ):  # fmt: skip
        for framework in FRAMEWORKS:
            by = f"rung {place}: something, float64 | layer1.res1.bn.mean"
            row = {"mutant": mutant, "framework": framework}
            rows.append(base | row | {"rung": place, "killed_by": by})
    rows[-1] |= {"rung": None, "killed_by": ""}
    rows[-2] |= {"rung": None, "killed_by": "", "equivalent": "a <reason>"}
    rows[-3] |= {"rung": None, "killed_by": "unit tests: test_decay"}
    only = {"mutant": "no-such-slug", "framework": "pytorch", "rung": 4}
    shared = {"mutant": "lr-peak", "framework": "common", "rung": 1}
    return [
        *rows,
        base | only | {"killed_by": "rung 4: activations"},
        base | shared | {"killed_by": "rung 1: table of rates"},
    ]


def mutants() -> dict:
    """A report with everything in it."""
    files = [
        {
            "file": f"frameworks/{framework}/{file}",
            "possible": 100,
            "tried": 25,
            "killed": 23,
            "killed_by": {"rung 4": 20, "unit tests": 3},
            "survivors": [SURVIVOR, JUDGED],
        }
        for framework, file in product(FRAMEWORKS, ("model.py", "step.py"))
    ]
    return {
        "format": MUTANTS_FORMAT,
        "date": "2026-01-01",
        "git_commit": "0" * 40,
        "commit_of": {"named": "1" * 40, "generated": "2" * 40},
        "machine": "made-up",
        "seconds": 100,
        "named": named(),
        "generated": {"seed": 0, "share": 0.25, "by_file": files},
    }


def bench_row(framework: str, what: str, speed: float, **traits) -> dict:
    """A row with two repeats, 5 % apart."""
    mode = OWN_MODE[framework] if what != "keras fit" else "fit"
    return {
        "framework": framework,
        "what": what,
        "width": 16,
        "mode": mode,
        "precision": "float32",
        "dropout_rate": 0.0,
        "batch_size": 512,
        "threads": 2,
        "images_per_second": [speed, 1.05 * speed],
        "compile_seconds": [1.0, 1.2],
        "peak_memory_bytes": [2_000_000_000, 2_100_000_000],
        **({} if what == "keras fit" else {"startup_seconds": [3.0, 3.1]}),
        **traits,
    }


def bench() -> dict:
    """A report with everything in it."""
    rows, scale, parts = [], [], []
    for place, framework in enumerate(FRAMEWORKS, 1):
        for width, precision in product((16, 64), PRECISIONS):
            speed = place * 8000 / width * (1 + (precision == "bfloat16"))
            same = {"width": width, "precision": precision}
            for mode in ("eager", "compiled"):
                fast = speed * (1.2 if mode == "compiled" else 1)
                more = same | {"mode": mode}
                rows.append(bench_row(framework, "step", fast, **more))
                rows.append(bench_row(framework, "epoch", 0.9 * fast, **more))
            parts += [
                {"framework": framework, "part": part, "pass": way,
                 "milliseconds": [100.0 / place], "gflops": gflops,
                 "count": count} | same
                for part, gflops, count in
                (("conv 64 -> 128, 32x32", 60.0 * place, 2),
                 ("batch norm", None, 1))
                for way in ("forward", "backward")
            ]  # fmt: skip
            whole = {"part": "whole step", "pass": "forward", "gflops": None}
            time = {"framework": framework, "milliseconds": [800.0 / place]}
            parts.append(whole | time | same)
        rows.append(bench_row(framework, "keras fit", 300.0 * place))
        for axis, values in (
            ("width", (8, 16, 32, 64, 128)),
            ("batch_size", (128, 256, 512, 1024)),
            ("threads", (1, 2)),
        ):
            for value in values:
                speed = place * (8000 / value if axis == "width" else 500)
                row = bench_row(framework, "step", speed, **{axis: value})
                scale += [row] if row not in scale else []
    limits = [
        {"precision": precision, "what": what, "framework": "pytorch",
         "gflops": [one, one + 2.0]}
        for precision, factor in zip(PRECISIONS, (1, 2), strict=True)
        for what, one in (("convolution 64 -> 128, 32x32", 350.0 * factor),
                          ("convolution 128 -> 256, 16x16", 399.0 * factor),
                          ("matrix product 2048", 420.0 * factor))
    ]  # fmt: skip
    return {
        "format": FORMAT,
        "date": "2026-01-01",
        "git_commit": "0" * 40,
        "quick": False,
        "machine": {"processor": "made-up", "cores": 2, "noise": 0.07},
        "versions": {"pytorch": {"torch": "1"}, "keras jax_flax": {"jax": "1"}},
        "limits": limits,
        "rows": rows,
        "scale": scale,
        "parts": parts,
    }
