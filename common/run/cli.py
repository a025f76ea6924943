"""Flags made from the two dataclasses, and the exit codes of a command."""

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Annotated, get_args

import tyro

from common import errors
from common.cifar10.load import find_place
from common.errors import UsageError, UserError
from common.files import user_path
from common.recipe import (
    MOST_DEVICES,
    PRESETS,
    Mode,
    Precision,
    Preset,
    Recipe,
    Run,
    auto_preset,
)
from common.run.gpu import explain_failure, first_line
from common.run.load import find_checkpoint
from common.run.process import describe_environment, tune_allocator
from common.run.signals import EndBySignals, behind, take_back
from common.run.terminal import say, tolerant_output
from common.run.together import joining, suppress_lost
from common.run.usage import first_sentence, name_unknown
from common.world import ALONE, LAUNCHERS, NAMED, World, launcher


@dataclass(frozen=True)
class Flags:
    """Every field of Run and of Recipe is a flag of that name."""

    run: Annotated[Run, tyro.conf.arg(name="")]
    recipe: Annotated[Recipe, tyro.conf.arg(name="")]


@dataclass(frozen=True)
class Defaults:
    """What a machine decides, where the flags do not."""

    preset: Preset
    precision: Precision
    mode: Mode


def parse(
    argv: Sequence[str],
    prog: str,
    sees_gpu: Callable[[], bool],
    cpu_mode: Mode,
    gpu_mode: Mode,
    leads: bool = True,
) -> tuple[Recipe, Run]:
    """Recipe and run from a command line; `--help` prints and exits.

    sees_gpu: asked unless the flags say that the CPU is meant. cpu_mode,
    gpu_mode: the framework's own default for --mode. leads: whether --load
    is for this process; others get its arrays from it. Raises UsageError with
    one line that names the flag, CheckpointError for --load.
    """
    on_cpu = Defaults(auto_preset(False), "float32", cpu_mode)
    on_gpu = Defaults(auto_preset(True), "bfloat16", gpu_mode)
    asked = _find_preset(argv)
    gpu = _word(argv, "--device") != "cpu" and sees_gpu()
    chosen, other = (on_gpu, on_cpu) if gpu else (on_cpu, on_gpu)
    preset = chosen.preset if asked == "auto" else asked
    recipe = replace(PRESETS[preset], precision=chosen.precision)
    ask = partial(
        tyro.cli,
        Flags,
        args=list(argv),
        prog=prog,
        description="Train DavidNet on CIFAR-10. The defaults shown are those "
        f"of --preset {preset} on a {'GPU' if gpu else 'CPU'}.",
        default=Flags(Run(mode=chosen.mode), recipe),
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    flags = _quietly(ask)
    # A GPU that is asked for and not there is an error, told elsewhere.
    told = gpu or (asked == "auto" and flags.run.device != "gpu")
    if told:
        _explain(argv, gpu, chosen, other)
    recipe, run = flags.recipe, replace(flags.run, preset=preset)
    if run.data_dir:
        run = replace(run, data_dir=str(user_path(run.data_dir)))
    if run.dataset != "synthetic":
        find_place(run)  # what is wrong is told before a record is begun
    if run.out:
        run = replace(run, out=str(user_path(run.out)))
    if run.load and leads:
        run = replace(run, load=str(find_checkpoint(run.load, recipe)))
    return recipe, run


def _explain(
    argv: Sequence[str], gpu: bool, chosen: Defaults, other: Defaults
) -> None:
    """One line: what was chosen, why, and how to get the other."""
    free = [
        name
        for name in asdict(chosen)
        if _word(argv, f"--{name}") in (None, "auto")
        and getattr(chosen, name) != getattr(other, name)
    ]
    if not free:
        return
    taken = ", ".join(f"{name} {getattr(chosen, name)}" for name in free)
    flags = " ".join(f"--{name} {getattr(other, name)}" for name in free)
    used, unused = ("a GPU", "a CPU") if gpu else ("no GPU", "a GPU")
    say(f"{taken}, since {used} is used; as on {unused}: {flags}")


def _word(argv: Sequence[str], flag: str) -> str | None:
    """The value that the words give a flag, the last one; None if none."""
    found = None
    for word, after in pairwise([*argv, ""]):
        if word == flag:
            found = after
        elif word.startswith(f"{flag}="):
            found = word.partition("=")[2]
    return found


def _find_preset(argv: Sequence[str]) -> Preset:
    """The preset that the flags name: it gives all others their defaults."""
    found = _word(argv, "--preset")
    found = "auto" if found is None else found
    known = get_args(Preset)
    for preset in known:
        if preset == found:
            return preset
    raise UsageError(
        f"--preset {found or 'without a name'}: expected one of "
        + ", ".join(known)
    )


def _quietly(ask: Callable) -> Flags:
    """The flags that tyro reads; its help is printed, its boxes are not.

    ask: tyro.cli with all that it needs. Raises UsageError of one line, in
    a terminal and in a pipe alike.
    """
    out, err = io.StringIO(), io.StringIO()
    try:
        # Its boxes differ where standard output is a terminal.
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            flags, unknown = ask(return_unknown_args=True)
    except SystemExit as stop:
        if stop.code:
            raise UsageError(first_sentence(err.getvalue())) from stop
        if os.environ.get("NO_COLOR"):
            print(out.getvalue(), end="")
            raise
        ask()  # again, for a terminal as it is; ends in SystemExit
    if unknown:
        raise UsageError(name_unknown(unknown))
    return flags


def run_command(
    argv: Sequence[str] | None,
    prog: str,
    train: Callable[[Recipe, Run, World], None],
    sees_gpu: Callable[[], bool],
    cpu_mode: Mode,
    gpu_mode: Mode,
    join_world: Callable[[str, int], World] = lambda device, devices: ALONE,
    leave_world: Callable[[World], None] = lambda world: None,
) -> int:
    """Parse, train, and turn whatever ends it into an exit code.

    cpu_mode, gpu_mode: the framework's own default for --mode. join_world,
    leave_world: those of its parallel.py; its device is not touched before.
    A UserError, a signal or an unforeseen error ends in one line; `--debug`
    shows the traceback.
    """
    argv = sys.argv[1:] if argv is None else argv
    worlds = [ALONE]

    def work() -> None:
        ignored = describe_environment()
        worlds[:] = [world] = [_join(argv, join_world)]
        with _silent_followers(world):
            modes = cpu_mode, gpu_mode
            recipe, run = parse(argv, prog, sees_gpu, *modes, world.leads)
            if ignored:
                say(ignored)
            train(recipe, run, world)
        with suppress_lost(world):
            leave_world(world)

    return guarded(work, "--debug" in argv, worlds)


def _join(
    argv: Sequence[str], join_world: Callable[[str, int], World]
) -> World:
    """Find the other processes, as far as the flags can be read yet."""
    device = _word(argv, "--device") or "auto"
    devices = _word(argv, "--devices") or ""
    # What makes no sense is told when all flags are parsed.
    count = int(devices) if devices.isdecimal() else 1
    count = count if 1 <= count <= MOST_DEVICES else 1
    several = launcher() or any(map(os.environ.get, NAMED))
    with joining() if several else contextlib.nullcontext():
        world = join_world(device, count)
    if not world.alone:
        take_back()  # TensorFlow's wait for a preemption takes SIGTERM
    elif variable := launcher():
        # They would all write one record.
        raise UsageError(
            f"{LAUNCHERS[variable]} has started {os.environ[variable]} "
            "processes, and none knows of the others: docs/scale.md has the "
            f"commands; unset {variable} if each is to train by itself"
        )
    return world


@contextlib.contextmanager
def _silent_followers(world: World) -> Iterator[None]:
    """Only the process that leads prints to standard output.

    The libraries of a follower, too, print nowhere.
    """
    if world.leads:
        yield
        return
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        # None, if it was closed at the start: 1 may be another file then.
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()
            os.dup2(nowhere.fileno(), 1)
        yield


def guarded(
    work: Callable[[], None], debug: bool, worlds: Sequence[World] = (ALONE,)
) -> int:
    """Do the work of a command; whatever ends it becomes an exit code.

    A UserError, a signal or an unforeseen error ends in one line; debug
    shows the traceback. worlds: the last is the one that the work joined.
    """
    with tolerant_output(), EndBySignals():
        code = _guarded(work, debug, worlds)
        if code != errors.DONE and not worlds[-1].alone:
            # Engines wait for the others at the end of the interpreter; so
            # the others see at once that this process is gone.
            for stream in filter(None, (sys.stdout, sys.stderr)):
                stream.flush()
            os._exit(code)
        return code


def _guarded(
    work: Callable[[], None], debug: bool, worlds: Sequence[World]
) -> int:
    """As guarded, once the output can be relied on."""
    tune_allocator()
    try:
        work()
        return errors.DONE
    except (KeyboardInterrupt, Exception) as error:
        signaled = behind(error)
        if isinstance(signaled, errors.Terminated):
            return errors.TERMINATED
        if isinstance(signaled, KeyboardInterrupt):
            return errors.INTERRUPTED
        code, line = _told(error)
        if debug:
            traceback.print_exc()
        who = "" if worlds[-1].leads else f"process {worlds[-1].rank}: "
        say(f"error: {who}{line}", sys.stderr)
        return code


def _told(error: BaseException) -> tuple[int, str]:
    """The exit code of an error, and its line."""
    if isinstance(error, UserError):
        return error.exit_code, str(error)
    if isinstance(error, OSError):
        return 74, f"{error} (disk or file error)"
    if reason := explain_failure(error):
        return errors.DeviceError.exit_code, reason
    return 1, (
        f"unforeseen {type(error).__name__}: {first_line(error)}; "
        "--debug shows where it comes from"
    )
