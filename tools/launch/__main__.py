"""Start the processes of a training on this machine, by native commands.

    nox -s train-torch -- --processes 2 --preset small

prints the commands (docs/scale.md tells more of them) and runs them. Only the
first process is shown. The others end with it, and it ends with any of them.
The exit code is that of the process that failed first, 75 if a signal from
elsewhere ended it.
"""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from common.environments import FRAMEWORKS
from common.errors import UsageError, UserError
from tools.launch.commands import Command, native_commands
from tools.launch.group import End, Group, first_failure

FLAG = "--processes"
LOST = 75  # the exit code of a training that lost a process


def run_torchrun(command: Command, count: int, logs: Path) -> End:
    """Run torchrun, which ends all processes with any of them.

    In this process: so it tells which one failed first, and how, where the
    program `torchrun` ends with 1 for everything.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import (
        ChildFailedError,
    )

    # It reports a failure on a page; here that is a line.
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    os.environ |= command.variables
    hidden = ",".join(f"{rank}:3" for rank in range(1, count))
    words = ["--log-dir", str(logs), *(("-r", hidden) if hidden else ())]
    try:
        run.run(run.parse_args([*words, *command.words[1:]]))
    except ChildFailedError as error:
        ended = sorted(error.failures.items(), key=lambda f: f[1].timestamp)
        return first_failure({rank: f.exitcode for rank, f in ended})
    except SignalException as stop:
        return End(signaled=stop.sigval)
    except KeyboardInterrupt:  # before it started anything
        return End(signaled=signal.SIGINT)
    return End()


def explain(end: End, count: int, logs: Path) -> tuple[int, str]:
    """The exit code, and a line on what the first process did not say."""
    who = f"process {end.rank} of {count} (the first is 0)"
    if end.signaled:
        return 128 + end.signaled, ""
    if end.code < 0:
        name = signal.Signals(-end.code).name
        return LOST, (
            f"{who} was ended by {name}; the training goes on with --resume "
            "and its --out, with any number of processes"
        )
    if end.rank == 0:
        return end.code, ""
    (file,) = logs.rglob(f"{end.rank}/stderr.log")
    lines = file.read_text(errors="replace").splitlines()
    told = [line for line in lines if line.startswith("error: ")]
    last = told[-1].removeprefix("error: ") if told else "\n".join(lines[-20:])
    return end.code, f"{who} ended with exit code {end.code}: {last}"


def take_count(argv: Sequence[str]) -> tuple[int, list[str]]:
    """The value of --processes, and the other words. Raises UsageError."""
    words, count = [], ""
    given = iter(argv)
    for word in given:
        if word == FLAG:
            count = next(given, "")
        elif word.startswith(f"{FLAG}="):
            count = word.partition("=")[2]
        else:
            words.append(word)
    if not count.isdecimal() or int(count) < 1:
        raise UsageError(f"{FLAG} {count}: expected a number, 1 or more")
    return int(count), words


def main(argv: Sequence[str]) -> int:
    """Start a framework's training as the flags say; its exit code.

    argv: the framework's folder, --processes N, the flags of the training
    """
    framework = argv[0]
    try:
        count, flags = take_count(argv[1:])
        commands = native_commands(framework, count, flags)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for command in commands:
        print(f"> {command}", flush=True)
    with tempfile.TemporaryDirectory(prefix="davidnet-") as folder:
        logs = Path(folder)
        if framework == "pytorch":
            end = run_torchrun(commands[0], count, logs)
        else:
            end = Group(commands, logs).run()
        code, line = explain(end, count, logs)
    if line:
        print(f"error: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in FRAMEWORKS:
        sys.exit(f"usage: python -m tools.launch {{{','.join(FRAMEWORKS)}}}")
    sys.exit(main(sys.argv[1:]))
