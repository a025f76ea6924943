"""Several processes of a training, started by each command that docs name.

All on the loopback interface, two processes or devices, on CPUs: `--processes`,
the commands of docs/scale.md, those of the examples for SkyPilot. What several
processes compute, rung 9 compares.
"""

import os
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from common.environments import FRAMEWORKS
from parity_tests.harness.processes import ONE_THREAD, free_ports
from parity_tests.programs.program import ROOT, Ended, Program, about, rows
from parity_tests.programs.worlds import ONE_CACHE, started_all

DOCS = ROOT / "docs"
# In place of what a page asks for. A batch of 32 leaves a partial one of 16.
# Dropout would take XLA as long to compile as all else.
TINY = (
    "--preset smoke --dataset synthetic --device cpu --width 4 --epochs 1 "
    "--train-images 48 --test-images 24 --batch-size 32 --precision float32 "
    "--dropout-rate 0"
)


def run_all(
    program: Program, scripts: list[tuple[str, dict]], folder: Path
) -> list[Ended]:
    """Run scripts of bash at once; how they ended.

    scripts: of each its text, and what is else in its environment. They find
    the programs of the framework's environment first.
    """
    path = f"{program.python.parent}:{os.environ['PATH']}"
    shared = ONE_THREAD | {"PATH": path, "PYTHONPATH": ONE_CACHE}
    bash = ["bash", "-euo", "pipefail", "-c"]
    commands = [([*bash, script], shared | own) for script, own in scripts]
    with started_all(commands, folder) as processes:
        return [
            Ended(code, processes.text(place), "")
            for place, code in enumerate(processes.codes())
        ]


def assert_one_training(ends: list[Ended], out: Path, processes: int) -> None:
    """One record, of a training that all took part in."""
    assert [end.code for end in ends] == [0] * len(ends), ends
    assert about(out)["status"] == "done"
    assert len(rows(out)) == 1
    machine = about(out)["machine"]
    assert (machine["processes"], machine["devices"]) == (processes, 2)
    said = "".join(end.stdout for end in ends)
    assert said.count(f"record: {out}\n") == 1


def test_a_flag_starts_two_processes_by_the_native_command(program, tmp_path):
    out = tmp_path / "run"
    words = f"{program.framework} --processes 2 {TINY} --out {out}"
    script = f"python -m tools.launch {words}"
    [end] = ends = run_all(program, [(script, {})], tmp_path)
    assert_one_training(ends, out, 2)
    shown = [line for line in end.stdout.splitlines() if line[:2] == "> "]
    assert len(shown) == (1 if program.framework == "pytorch" else 2)
    assert "torchrun" in shown[0] or "127.0.0.1" in shown[0]


# --- docs/scale.md ------------------------------------------------------


def blocks() -> dict[str, dict[str, str]]:
    """By framework, the commands of the page by what their mark says."""
    found = {framework: {} for framework in FRAMEWORKS}
    pattern = r"<!-- run: (\w+), (\w+) -->\n```bash\n(.*?)```"
    text = (DOCS / "scale.md").read_text()
    for framework, how, script in re.findall(pattern, text, re.S):
        found[framework][how] = script
    return found


def here(script: str, out: Path, ports: list[int]) -> str:
    """A command of the page, for this machine and a tiny training."""
    for named, port in zip((29500, 29501), ports, strict=True):
        script = re.sub(rf"\bHOST\d?:{named}", f"127.0.0.1:{port}", script)
    assert "HOST" not in script and script.count("--preset small") == 1
    return script.replace("--preset small", f"{TINY} --out {out}")


def test_the_page_has_a_command_of_each_kind():
    assert {f: [*found] for f, found in blocks().items()} == {
        "pytorch": ["once", "twice"],
        "tensorflow_eager": ["once", "0", "1"],
        "jax_flax": ["once", "0", "1"],
    }


def test_the_command_for_one_machine_does_what_the_page_says(program, tmp_path):
    """torchrun starts two processes; the others have two devices in one."""
    out = tmp_path / "run"
    script = here(blocks()[program.framework]["once"], out, free_ports(2))
    ends = run_all(program, [(script, {})], tmp_path)
    assert_one_training(ends, out, 2 if program.framework == "pytorch" else 1)


def test_the_commands_for_two_machines_do_what_the_page_says(program, tmp_path):
    out, ports = tmp_path / "run", free_ports(2)
    found = blocks()[program.framework]
    scripts = [found["twice"]] * 2 if "twice" in found else [found["0"]]
    scripts += [found["1"]] if "1" in found else []
    ends = run_all(
        program, [(here(s, out, ports), {}) for s in scripts], tmp_path
    )
    assert_one_training(ends, out, 2)


# --- docs/scale/skypilot-*.yaml -----------------------------------------


def test_the_commands_for_skypilot_join_their_nodes(program, tmp_path):
    out = tmp_path / "run"
    first, *_ = free_ports(3)  # TensorFlow's example counts from the second
    name = FRAMEWORKS[program.framework].requirements
    task = YAML(typ="safe").load(DOCS / "scale" / f"skypilot-{name}.yaml")
    script = task["run"].replace(f".nox/{name}-gpu/bin/", "")
    for before, after in (
        ("--preset dawnbench", f"{TINY} --out {out}"),
        ("29500" if "29500" in script else "29499", str(first)),
    ):
        assert before in script
        script = script.replace(before, after)
    nodes = {
        "SKYPILOT_NUM_NODES": "2",
        "SKYPILOT_NODE_IPS": "127.0.0.1\n127.0.0.1",
        "SKYPILOT_NUM_GPUS_PER_NODE": "1",
    }
    scripts = [
        (script, nodes | {"SKYPILOT_NODE_RANK": str(rank)}) for rank in (0, 1)
    ]
    assert_one_training(run_all(program, scripts, tmp_path), out, 2)


@pytest.mark.parametrize("number", ["KILL", "TERM"])
def test_torchrun_is_told_apart_by_how_it_ended(programs, tmp_path, number):
    """A stand-in for a training: the second process is killed, or all end."""
    victim = "os.environ['RANK'] == '1'" if number == "KILL" else "False"
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "open(os.environ['NOTE'] + os.environ['RANK'], 'w').close()\n"
        f"if {victim}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "time.sleep(60)\n"
    )
    start = (
        "import sys; from pathlib import Path\n"
        "from tools.launch.__main__ import explain, run_torchrun\n"
        "from tools.launch.commands import Command\n"
        "words = ['torchrun', '--standalone', '--nproc-per-node', '2']\n"
        f"command = Command([*words, {str(script)!r}])\n"
        f"logs = Path({str(tmp_path)!r})\n"
        "code, line = explain(run_torchrun(command, 2, logs), 2, logs)\n"
        "print(line); sys.exit(code)\n"
    )
    note = tmp_path / "started"
    wait = f"until [ -e {note}0 ] && [ -e {note}1 ]; do sleep 0.1; done; "
    text = 'python -c "$START" & child=$!; '
    if number == "TERM":
        text += f"{wait} kill -TERM $child; "
    text += "wait $child"
    own = {"START": start, "NOTE": str(note)}
    [end] = run_all(programs["pytorch"], [(text, own)], tmp_path)
    if number == "KILL":
        assert end.code == 75, end
        assert "process 1 of 2 (the first is 0) was ended by SIGKILL" in (
            end.stdout
        )
    else:
        assert end.code == 143, end
