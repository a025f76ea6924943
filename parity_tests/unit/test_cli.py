"""The command line: flags from the dataclasses, one line per error."""

import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import tyro

from common.errors import DataError, UsageError
from common.recipe import PRESETS, Recipe, Run
from common.run.cli import parse, run_command
from common.run.usage import OTHER_NAMES, PathFlag
from common.world import ALONE
from parity_tests.unit.in_a_terminal import (
    ROOT,
    environment,
    in_terminal,
    python,
)


def parsed(*argv, sees_gpu=False):
    return parse(argv, "prog", lambda: sees_gpu, "eager", "compiled")


def ended(train, *argv):
    return run_command(argv, "prog", train, lambda: False, "eager", "compiled")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_gives_its_recipe(preset):
    recipe, run = parsed("--preset", preset)
    assert recipe == PRESETS[preset]
    assert run == Run(preset=preset)


@pytest.mark.parametrize(
    ("argv", "sees_gpu", "preset"),
    [
        ([], False, "small"),
        ([], True, "dawnbench"),
        (["--preset", "auto"], True, "dawnbench"),
        (["--device", "cpu"], True, "small"),
        (["--device=cpu"], True, "small"),
    ],
)
def test_auto_goes_by_the_gpu_and_says_how_to_get_the_other(
    argv, sees_gpu, preset, capsys
):
    recipe, run = parsed(*argv, sees_gpu=sees_gpu)
    words = {
        "small": ("float32", "eager", "no GPU is used"),
        "dawnbench": ("bfloat16", "compiled", "a GPU is used"),
    }
    precision, mode, why = words[preset]
    other = {"small": "dawnbench", "dawnbench": "small"}[preset]
    assert recipe == replace(PRESETS[preset], precision=precision)
    assert (run.preset, run.mode) == (preset, mode)
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert line.startswith(
        f"preset {preset}, precision {precision}, mode {mode}, since {why}; "
    )
    flags = f"--preset {other} --precision {words[other][0]}"
    assert line.endswith(f": {flags} --mode {words[other][1]}\n")


def test_a_gpu_is_told_with_a_named_preset_too(capsys):
    recipe, run = parsed("--preset", "small", sees_gpu=True)
    assert (recipe.precision, run.mode) == ("bfloat16", "compiled")
    assert capsys.readouterr().out == (
        "precision bfloat16, mode compiled, since a GPU is used; as on a CPU: "
        "--precision float32 --mode eager\n"
    )


@pytest.mark.parametrize(
    ("flags", "sees_gpu"),
    [("", False), ("--precision float32 --mode=eager", True)],
)
def test_what_the_flags_say_needs_no_explanation(flags, sees_gpu, capsys):
    recipe, run = parsed("--preset=small", *flags.split(), sees_gpu=sees_gpu)
    assert (recipe, run) == (PRESETS["small"], Run(preset="small"))
    assert capsys.readouterr().out == ""


def test_a_gpu_that_is_missing_is_left_to_the_framework_to_tell(capsys):
    _, run = parsed("--device", "gpu", sees_gpu=False)
    assert run.device == "gpu"
    assert capsys.readouterr().out == ""


def test_nobody_looks_for_a_gpu_when_the_cpu_is_asked_for():
    look = Mock()
    parse(["--device", "cpu"], "prog", look, "eager", "eager")
    assert not look.called


def test_what_is_the_same_on_both_is_not_explained(capsys):
    parse([], "prog", lambda: True, "eager", "eager")
    assert "mode" not in capsys.readouterr().out


def test_every_field_is_a_flag_with_help(capsys):
    with pytest.raises(SystemExit) as stop:
        parsed("--help")
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for field in (*fields(Recipe), *fields(Run)):
        flag = "--" + field.name.replace("_", "-")
        assert f"{flag} " in text
        # A flag without help shows its default at once.
        after = text.split(f"{flag} ")[1]
        value = after.partition(" ")[2] if field.type is not bool else after
        assert not value.startswith("(default"), flag


def test_a_flag_changes_its_field_only():
    recipe, _ = parsed("--preset", "small", "--epochs", "2")
    assert recipe.epochs == 2
    assert recipe.width == PRESETS["small"].width


HELP = " (--help lists the flags)"
MEANT = ": no such flag; perhaps you meant "


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--preset huge", "--preset huge: expected one of auto, dawnbench, "),
        ("--preset", "--preset without a name: expected one of auto, "),
        ("--epochs 0", "--epochs 0: expected 1 to 10000"),
        ("--epochs -3", "--epochs -3: expected 1 to 10000"),
        ("--width 0", "--width 0: expected 1 to 4096"),
        ("--peak-lr nan", "--peak-lr nan: expected a finite number"),
        ("--batch-size 50001", "--batch-size 50001: expected at most the "),
        ("--preset smoke --batch-size 2049", "--batch-size 2049: expected "),
        ("--seed -1", "--seed -1: expected 0 to 2147483647"),
        ("--precision float16", "--precision 'float16': expected one of "),
        ("--mode fast", "--mode 'fast': expected one of "),
        (
            "--device tpu",
            "--device 'tpu': expected one of ('auto', 'cpu', 'gpu')" + HELP,
        ),
        ("--lr 0.1", "--lr" + MEANT + "--peak-lr" + HELP),
        ("--lr=0.1", "--lr" + MEANT + "--peak-lr" + HELP),
        (
            "--learning_rate 1 --bs 2",
            "--learning_rate, --bs: no such flags; perhaps you meant "
            "--peak-lr, --batch-size" + HELP,
        ),
        ("--batchsize 3", "--batchsize" + MEANT + "--batch-size" + HELP),
        ("--epocs 3", "--epocs" + MEANT + "--epochs" + HELP),
        ("--no-resume", "--no-resume" + MEANT + "--resume" + HELP),
        ("--std 3", "--std" + MEANT + "--pixel-std" + HELP),
        ("--quux", "--quux: no such flag" + HELP),
        ("a b", "a b: expected flags only" + HELP),
        ("--epochs two", "--epochs: expected an integer, not 'two'" + HELP),
        ("--peak-lr x", "--peak-lr: expected a number, not 'x'" + HELP),
        ("--epochs", "--epochs: expected a value" + HELP),
        ("--pixel-std 1", "--pixel-std: expected 3 values" + HELP),
    ],
)
def test_bad_flags_end_in_one_line_that_says_what_was_meant(
    words, line, capsys
):
    train = Mock()
    assert ended(train, *words.split()) == 2
    assert not train.called
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"error: {line}")


def test_every_suggestion_is_a_flag():
    known = {f.name for part in (Recipe, Run) for f in fields(part)}
    assert set(OTHER_NAMES) <= known
    others = [name for names in OTHER_NAMES.values() for name in names.split()]
    assert len(others) == len(set(others))
    assert not known & set(others)


@pytest.mark.parametrize("width", [80, 40])
def test_in_a_terminal_a_usage_error_is_what_it_is_in_a_pipe(width):
    code, output = in_terminal(
        width,
        *python(
            "import sys; from common.run.cli import run_command; sys.exit("
            "run_command(None, 'p', print, lambda: False, 'eager', 'eager'))"
        ),
        "--lr",
        "1",
    )
    assert code == 2
    assert " ".join(output.split()) == (
        "error: --lr: no such flag; perhaps you meant --peak-lr (--help lists "
        "the flags)"
    )
    assert output.count("\n") == (1 if width == 80 else 3)


def test_help_without_color_has_no_escape_sequence(monkeypatch, capsys):
    monkeypatch.setenv("NO_COLOR", "1")
    with pytest.raises(SystemExit):
        parsed("--help")
    text = capsys.readouterr().out
    assert "--peak-lr" in text
    assert "\x1b" not in text


def test_a_tilde_is_a_home_folder_in_every_flag_that_takes_a_path(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    _, run = parsed("--out=~/x", "--data-dir=~/data")
    assert (run.out, run.data_dir) == ("/home/anna/x", "/home/anna/data")


@dataclass
class ToolFlags:
    out: PathFlag = Path("site")
    json: PathFlag | None = None
    take: tuple[PathFlag, ...] = ()


def test_a_tilde_is_a_home_folder_in_the_flags_of_tools_too(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    assert tyro.cli(ToolFlags, args=[]) == ToolFlags()
    argv = ["--out=~/x", "--json", "~/y", "--take", "~/a", "b"]
    home = Path("/home/anna")
    wanted = ToolFlags(home / "x", home / "y", (home / "a", Path("b")))
    assert tyro.cli(ToolFlags, args=argv) == wanted


TOOLS = sorted(
    path
    for top in ("tools", "parity_tests")
    for path in (ROOT / top).rglob("*.py")
    if not {"tests", "unit"} & set(path.parts)
)


def test_no_tool_takes_a_path_without_a_home():
    """By its source: `type=Path`, or a field of flags that is a Path."""
    for path in TOOLS:
        text = path.read_text()
        assert "type=Path" not in text, path
        if "tyro.cli(" in text:
            assert not re.search(r"^    \w+: Path\b", text, re.M), path


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("no"), 2, "error: no\n"),
        (DataError("bad"), 65, "error: bad\n"),
        (OSError(28, "No space left"), 74, "error: [Errno 28] No space"),
        (KeyboardInterrupt(), 130, ""),
        (ZeroDivisionError("x"), 1, "error: unforeseen ZeroDivisionError: x"),
    ],
)
def test_what_ends_a_training_is_its_exit_code(error, code, line, capsys):
    assert ended(Mock(side_effect=error), "--preset", "smoke") == code
    assert capsys.readouterr().err.startswith(line)


def test_debug_shows_the_traceback_and_changes_no_exit_code(capsys):
    train = Mock(side_effect=DataError("damaged"))
    assert ended(train, "--preset", "smoke", "--debug") == 65
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last)")
    assert told.endswith("error: damaged\n")


@pytest.mark.parametrize(("named", "code"), [(False, 0), (True, 78)])
def test_only_processes_that_others_are_named_to_are_timed(
    monkeypatch, named, code
):
    """A strategy over eight GPUs may take its time, and meets nobody."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if named:
        monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("common.run.together.JOIN_SECONDS", 0.1)
    monkeypatch.setattr(
        "os._exit", Mock(side_effect=lambda code: found.append(code))
    )
    found = []

    def join_world(device, devices):
        end = time.monotonic() + (10 if named else 0.5)
        while not found and time.monotonic() < end:
            time.sleep(0.01)
        return ALONE

    argv = ["--preset", "smoke", "--devices", "8"]
    modes = "eager", "compiled"
    ended = run_command(argv, "p", Mock(), lambda: False, *modes, join_world)
    assert (found or [ended])[0] == code


@pytest.mark.parametrize("devices", ["0", "100000"])
def test_devices_that_make_no_sense_reach_no_framework(devices, capsys):
    join_world = Mock(return_value=ALONE)
    argv = ["--preset", "smoke", "--devices", devices]
    modes = "eager", "compiled"
    code = run_command(argv, "p", Mock(), lambda: False, *modes, join_world)
    assert code == 2
    join_world.assert_called_once_with("auto", 1)
    told = capsys.readouterr().err
    assert f"--devices {devices}: expected 1 to 1024" in told


def test_a_framework_joins_by_the_device_and_the_count_of_the_flags():
    join_world = Mock(return_value=ALONE)
    argv = ["--preset", "smoke", "--device", "cpu", "--devices", "1024"]
    modes = "eager", "compiled"
    run_command(argv, "p", Mock(), lambda: False, *modes, join_world)
    join_world.assert_called_once_with("cpu", 1024)


def test_a_variable_that_is_not_used_is_told(monkeypatch, capsys):
    monkeypatch.setattr("common.run.process.overruled", ["KERAS_HOME"])
    ended(Mock(), "--preset", "smoke")
    told = "not used, from the environment: KERAS_HOME\n"
    assert capsys.readouterr().out.startswith(told)


# A process of two; what its train() does is to be filled in.
OF_TWO = """
import atexit, os, sys
from common.errors import DataError
from common.run.cli import run_command
from common.world import World

def train(recipe, run, world):
    {does}

def join_world(device, devices):
    return World(rank=1, size=2)

flags = ["--preset", "smoke"]
modes = "eager", "compiled"
sys.exit(run_command(flags, "p", train, lambda: False, *modes, join_world))
"""


def of_two(does):
    """Exit code, output and errors of the second process of two."""
    command = python(OF_TWO.format(does=does))
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_process_that_follows_prints_no_line():
    """Neither by print() nor below Python; its errors are told."""
    code, output, told = of_two(
        "print(1); os.write(1, b'2'); print('trained', file=sys.stderr)"
    )
    assert (code, output, told) == (0, "", "trained\n")


def test_a_process_of_several_that_fails_waits_for_nobody():
    """As engines do at the end of the interpreter, which is not reached."""
    code, _, told = of_two(
        "atexit.register(print, 'the end', file=sys.stderr); "
        "raise DataError('bad')"
    )
    assert (code, told) == (65, "error: process 1: bad\n")


def test_a_training_may_run_beside_the_main_thread():
    with ThreadPoolExecutor() as pool:
        code = pool.submit(ended, Mock(), "--preset", "smoke")
    assert code.result() == 0


def test_a_training_that_ends_well_is_0():
    train = Mock()
    assert ended(train, "--preset", "smoke") == 0
    run = Run(preset="smoke")
    train.assert_called_once_with(PRESETS["smoke"], run, ALONE)


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("DAVIDNET_MIRROR", "expected an https address"),
        ("DAVIDNET_DATA", "expected a path, found an address"),
    ],
)
def test_a_wrong_source_is_told_before_a_record(monkeypatch, variable, words):
    monkeypatch.setenv(variable, "http://127.0.0.1/c.tar.gz")
    with pytest.raises(UsageError, match=words):
        parsed()
    # These do not look at it.
    parsed("--dataset", "synthetic")
    parsed("--data-dir", "here")
