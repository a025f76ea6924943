"""Judge what the three modules of this folder found, and keep it in one file.

    python -m parity_tests.gpu traces/gpu --published results/gpu.json

The folder holds what each module wrote, `<framework>.json`; `gpu.json` is
written beside. Needs the standard library. Ends with 1 if a claim is wrong.
"""

import argparse
import json
import sys
from pathlib import Path

from common.environments import FRAMEWORKS
from common.files import user_path
from common.run.machine import git_commit, processor

FORMAT = "davidnet-gpu-1"
GROWTH = 1.05  # of kernels and memory, before it counts as worse
CONVOLUTIONS = 23  # of a step: 8 forward, 8 of kernels, 7 of images
STEPS = 97  # full batches of an epoch
# Of a step on several GPUs: batch norm's sums, forward and backward, of 8
# layers, and a few for all gradients; more would be one for each tensor.
COLLECTIVES = 45
MEMORY = 80e9  # bytes of an H100


def check_tensorflow(found: dict) -> list[str]:
    """What is wrong with TensorFlow's ops and copies."""
    wrong = []
    for case, stages in found["cases"].items():
        for stage, seen in stages.items():
            if seen["missing"]:
                wrong.append(f"{case}, {stage}: no kernel: {seen['missing']}")
            free = case.endswith("dropout 0") or stage == "evaluation step"
            if stage.endswith("step") and free and seen["copies"]:
                wrong.append(f"{case}, {stage}: copies: {seen['copies']}")
    return wrong


def check_whole(found: dict) -> list[str]:
    """What is missing of the parts that take minutes."""
    full = found["pytorch"].get("full", {})
    if full and all("inductor" in one for one in full.values()):
        return []
    return ["pytorch: Inductor's programs: expected --full, with Triton"]


def check_pytorch(found: dict) -> list[str]:
    """What is wrong with PyTorch's tensors and graphs."""
    wrong = [
        f"{case}, {stage}: copies: {seen['copies']}"
        for case, stages in found["eager"].items()
        for stage, seen in stages.items()
        if stage.endswith("step") and seen["copies"]
    ]
    for precision, full in found.get("full", {}).items():
        seen = full.get("inductor", {}).get("convolutions", CONVOLUTIONS + 1)
        # The gradient of the images is no result, but a part of the call.
        if seen != CONVOLUTIONS + 1:
            wrong.append(f"{precision}: Inductor calls {seen} convolutions")
    wanted = {"graphs": 4, "graphs after the warm-up": 0, "breaks": {}}
    if found["compiled"] != wanted:
        wrong.append(f"graphs: expected {wanted}, found {found['compiled']}")
    return wrong


def check_jax(found: dict) -> list[str]:
    """What is wrong with JAX's programs for an H100."""
    wrong = []
    for case, programs in found.items():
        kind = "f32" if case.startswith("float32") else "bf16"
        several = case.endswith("GPUs")
        for name, seen in programs.items():
            epoch = name == "epoch"
            count = CONVOLUTIONS if epoch else 8
            wanted = {
                "convolutions": count,
                "channels last": count,
                "operands": [kind],
                "crossings": {},
                "loop": [str(STEPS)] if epoch else [],
            }
            if not several:
                wanted["collectives"] = 0
            if epoch and not several:
                wanted["types of sums"] = ["f32"]
            wrong += [
                f"{case}, {name}: {what}: expected {value}, found {seen[what]}"
                for what, value in wanted.items()
                if seen[what] != value
            ]
            if several and not 0 < seen["collectives"] <= COLLECTIVES:
                wrong.append(
                    f"{case}, {name}: collectives: 1 to {COLLECTIVES}, "
                    f"found {seen['collectives']}"
                )
            for target in seen["libraries"]:
                if not target.startswith("__cudnn$conv"):
                    wrong.append(f"{case}, {name}: calls {target}")
            # Two sums and a table of addresses are no part of the state.
            if epoch and seen["result bytes"] - seen["donated bytes"] > 1024:
                wrong.append(f"{case}: the state is copied, not donated")
            if seen["argument bytes"] + seen["temporary bytes"] > MEMORY:
                wrong.append(f"{case}, {name}: more memory than a GPU has")
    return wrong


CHECKS = dict(
    zip(FRAMEWORKS, (check_tensorflow, check_pytorch, check_jax), strict=True)
)


def numbers(tree, path: str = "") -> dict[str, float]:
    """The numbers that must not grow, by their place."""
    if isinstance(tree, dict):
        found = {}
        for name, value in tree.items():
            found |= numbers(value, f"{path}{name}, ")
        return found
    watched = path.endswith(("kernels, ", "temporary bytes, "))
    return {path.rstrip(", "): tree} if watched else {}


def check_growth(found: dict, published: dict) -> list[str]:
    """What needs more kernels or memory than the published figures say."""
    before = numbers(published["frameworks"])
    return [
        f"{place}: {now:,}, and {before[place]:,} in the published figures"
        for place, now in numbers(found).items()
        if now > GROWTH * before.get(place, now)
    ]


def main(argv: list[str] | None = None) -> int:
    """Read, check, write; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m parity_tests.gpu")
    parser.add_argument("folder", type=user_path)
    parser.add_argument("--published", type=user_path)
    flags = parser.parse_args(argv)
    found, wrong = {}, []
    for framework, check in CHECKS.items():
        text = (flags.folder / f"{framework}.json").read_text()
        found[framework] = json.loads(text)
        wrong += [f"{framework}: {line}" for line in check(found[framework])]
    if flags.published:  # as nox -s gpu-paper does
        wrong += check_whole(found)
        published = json.loads(flags.published.read_text())
        wrong += check_growth(found, published)
    report = {
        "format": FORMAT,
        "git_commit": git_commit(),
        "processor": processor(),
        "wrong": wrong,
        "frameworks": found,
    }
    path: Path = flags.folder / "gpu.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    for line in wrong:
        print(f"wrong: {line}", file=sys.stderr)
    print(f"{path}: {'wrong' if wrong else 'all claims hold'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
