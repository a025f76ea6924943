"""Flags made from the two dataclasses, and the exit codes of a command."""

import contextlib
import io
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, get_args

import tyro

from common import errors
from common.allocator import tune_allocator
from common.errors import UsageError, UserError
from common.recipe import PRESETS, Preset, Recipe, Run, auto_preset


@dataclass(frozen=True)
class Flags:
    """Every field of Run and of Recipe is a flag of that name."""

    run: Annotated[Run, tyro.conf.arg(name="")]
    recipe: Annotated[Recipe, tyro.conf.arg(name="")]


def parse(
    argv: Sequence[str], prog: str, defaults: Run, sees_gpu: Callable[[], bool]
) -> tuple[Recipe, Run]:
    """Recipe and run from a command line; `--help` prints and exits.

    sees_gpu: asked only where `--preset auto` has to be decided. Raises
    UsageError with one line that names the flag.
    """
    preset = asked = _find_preset(argv)
    line = " ".join(argv).replace("=", " ")
    if preset == "auto":
        preset = auto_preset("--device cpu" not in line and sees_gpu())
    recipe = PRESETS[preset]
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            flags = tyro.cli(
                Flags,
                args=list(argv),
                prog=prog,
                description="Train DavidNet on CIFAR-10. The defaults shown "
                f"are those of --preset {preset}.",
                default=Flags(defaults, recipe),
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if stop.code == 0:  # --help
            raise
        raise UsageError(_first_sentence(printed.getvalue())) from stop
    if asked == "auto":
        _explain_auto(preset)
    return flags.recipe, replace(flags.run, preset=preset)


def _explain_auto(preset: str) -> None:
    """One line: which preset was taken, why, and how to get the other."""
    if preset == "small":
        print(
            "preset: small, since no GPU is used; the full training is "
            "--preset dawnbench",
            flush=True,
        )
    else:
        print(
            "preset: dawnbench, since a GPU is used; the quick one is "
            "--preset small",
            flush=True,
        )


def _find_preset(argv: Sequence[str]) -> str:
    """The preset that the flags name: it gives all others their defaults."""
    found = "auto"
    for place, word in enumerate(argv):
        if word.startswith("--preset="):
            found = word.partition("=")[2]
        elif word == "--preset":
            found = argv[place + 1] if place + 1 < len(argv) else ""
    known = get_args(Preset)
    if found not in known:
        raise UsageError(
            f"--preset {found or 'without a name'}: expected one of "
            + ", ".join(known)
        )
    return found


def _first_sentence(box: str) -> str:
    """The first part of the message that tyro draws a frame around."""
    lines = [line.strip("│ ") for line in box.splitlines()]
    lines = lines[1:] if box.startswith("╭") else lines
    words = []
    for line in lines:
        if re.match("[─╰]", line):
            break
        words.append(line)
    return " ".join(words) + " (--help lists the flags)"


def run_command(
    argv: Sequence[str] | None,
    prog: str,
    train: Callable[[Recipe, Run], None],
    sees_gpu: Callable[[], bool],
    mode: str,
) -> int:
    """Parse, train, and turn whatever ends it into an exit code.

    mode: the framework's own default for --mode. A UserError, a signal or
    an unforeseen error ends in one line; `--debug` shows the traceback.
    """
    argv = sys.argv[1:] if argv is None else argv
    debug = "--debug" in argv

    def terminate(number, frame):
        raise errors.Terminated

    signal.signal(signal.SIGTERM, terminate)
    # Not the default everywhere: a shell starts background jobs without.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tune_allocator()
    try:
        train(*parse(argv, prog, Run(mode=mode), sees_gpu))
        return errors.DONE
    except errors.Terminated:
        return errors.TERMINATED
    except KeyboardInterrupt:
        return errors.INTERRUPTED
    except UserError as error:
        if debug:
            raise
        return _end(str(error), error.exit_code)
    except OSError as error:
        if debug:
            raise
        return _end(f"{error} (disk or file error)", 74)
    except Exception as error:
        if debug:
            raise
        line = str(error).strip().partition("\n")[0]
        return _end(
            f"unforeseen {type(error).__name__}: {line}; "
            "--debug shows where it comes from",
            1,
        )


def _end(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr, flush=True)
    return code
