"""A training of several processes: it starts alike, and ends together."""

import ctypes
import hashlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from common.checkpoint import Checkpoint, array_shapes
from common.errors import DeviceError, LostProcess, UserError, WorldError
from common.files import one_line
from common.recipe import Recipe, Run
from common.run.gpu import explain_failure
from common.run.machine import ROOT, library_versions
from common.run.terminal import say
from common.world import JOIN_SECONDS, World

# How long a process that misses another waits for a signal that may have
# ended that one, and be on its way to this one.
GRACE = 2.0  # seconds
# Flags that belong to a machine, or to the leader's record.
OF_A_MACHINE = ("data_dir", "offline", "load", "out", "resume", "debug")


@contextmanager
def joining() -> Iterator[None]:
    """A block in which the processes find each other; raises WorldError.

    Not every engine gives up by itself, and Python cannot interrupt one: the
    process then ends with the same line.
    """
    advice = (
        "; see that all processes were started, with one address that each "
        "reaches and a port that is free"
    )
    line = "the processes of this training did not find each other: "
    late = f"error: {line}no answer within {JOIN_SECONDS} s{advice}"

    def give_up() -> None:
        say(late, sys.stderr)
        os._exit(WorldError.exit_code)

    timer = threading.Timer(JOIN_SECONDS, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if reason := explain_failure(error):  # a GPU's, not the network's
            raise DeviceError(reason) from error
        raise WorldError(f"{line}{one_line(error)}{advice}") from error
    finally:
        timer.cancel()


def meet(addresses: Sequence[str], rank: int) -> None:
    """Wait until every process of a training is there.

    For TensorFlow, which would wait for ever, with Python's lock held.
    addresses: host:port of each; for this moment the first one listens. Raises
    TimeoutError or OSError.
    """
    end = time.monotonic() + JOIN_SECONDS - 5
    if rank:
        return _knock(addresses[0], rank, end)
    with listen(addresses[0]) as server:
        there: dict[int, socket.socket] = {}
        while len(there) < len(addresses) - 1:
            server.settimeout(max(0.1, end - time.monotonic()))
            try:
                peer, _ = server.accept()
            except TimeoutError:
                peer = None
            if peer is None or time.monotonic() > end:
                found = f"{len(there) + 1} of {len(addresses)}"
                raise TimeoutError(f"{found} processes came")
            peer.settimeout(5)
            number = 0  # of whoever else connects: a probe of the port
            with suppress(OSError):
                number = int.from_bytes(peer.recv(4), "little")
            if 0 < number < len(addresses):
                there[number] = peer
            else:
                peer.close()
        for peer in there.values():
            peer.sendall(b"go")
            peer.recv(1)  # b"": it has closed, so the port is free again
            peer.close()


def listen(address: str) -> socket.socket:
    """Listen at host:port, on all networks if the host is not this machine's.

    Raises OSError if the port is taken. JAX asks before XLA does, whose
    service sometimes ends the process by SIGSEGV if it cannot listen.
    """
    host, _, port = address.rpartition(":")
    own = host if host.startswith(("127.", "localhost")) else ""
    return socket.create_server((own, int(port)))


def _knock(address: str, rank: int, end: float) -> None:
    """Tell the first process that this one is there, until it answers."""
    host, _, port = address.rpartition(":")
    while True:
        try:
            with socket.create_connection((host, int(port)), 5) as peer:
                peer.sendall(rank.to_bytes(4, "little"))
                peer.settimeout(max(0.1, end - time.monotonic()))
                if peer.recv(2) == b"go":
                    return
        except OSError:
            if time.monotonic() > end:
                raise
        if time.monotonic() > end:
            raise TimeoutError("the first process does not know this one")
        time.sleep(0.2)


def check_alike(framework: str, recipe: Recipe, run: Run, world: World) -> None:
    """Raise WorldError unless all train the same, by the same program.

    Raises UsageError if a batch has too few images for all.
    """
    if world.size * world.devices == 1:
        return
    world.require_images(recipe)
    flags = {k: v for k, v in asdict(run).items() if k not in OF_A_MACHINE}
    parts = {
        "other flags": json.dumps([asdict(recipe), flags]).encode(),
        "another version of this program": source(framework),
        "other versions of its libraries": json.dumps(
            library_versions(framework)
        ).encode(),
    }
    mine = [hashlib.sha256(part).digest()[:4] for part in parts.values()]
    numbers = np.array([np.frombuffer(d, "<i4")[0] for d in mine])
    every = world.gather(numbers)
    for what, column in zip(parts, every.T, strict=True):
        others = np.flatnonzero(column != column[0])
        if len(others):
            ranks = ", ".join(map(str, others))
            raise WorldError(
                f"process {ranks} of {world.size} has {what} than process 0; "
                "start all processes alike"
            )


def source(framework: str) -> bytes:
    """The Python files that decide a training, one after another."""
    found = b""
    for folder in ("common", f"frameworks/{framework}"):
        for file in sorted(Path(ROOT, folder).rglob("*.py")):
            found += file.relative_to(ROOT).as_posix().encode()
            found += file.read_bytes()
    return found


def spread_start(
    start: Checkpoint | None, recipe: Recipe, world: World
) -> Checkpoint | None:
    """What the leader starts from, in every process.

    start: the leader's; None for the framework's own initial weights, which
    a seed makes the same everywhere.
    """
    if world.alone:
        return start
    arrays = {
        name: np.asarray(start.arrays[name] if start else 0, recipe.param_dtype)
        for name in array_shapes(recipe)
    }
    for name, shape in array_shapes(recipe).items():
        arrays[name] = np.broadcast_to(arrays[name], shape)
    arrays["step"] = np.array([start.step if start else -1], np.int32)
    arrays = world.spread(arrays)
    step = int(arrays.pop("step")[0])
    if step < 0:
        return None
    return start or Checkpoint(arrays, step, recipe, "the leader")


@contextmanager
def losses_told(world: World, folder: str | os.PathLike | None) -> Iterator:
    """Turn the error of a collective into LostProcess, of one clear line.

    folder: of the record, as far as this process knows it.
    """
    out = f" --out {folder}" if folder else ""
    line = (
        f"another process of this training was lost; go on with --resume{out}, "
        "at any number of processes"
    )
    _lines.append(line)
    try:
        yield
    except Exception as error:
        lost = world.is_lost(error) and not explain_failure(error)
        if world.alone or not lost:
            raise
        time.sleep(GRACE)  # a signal raises an exception here
        raise LostProcess(f"{line} ({one_line(error)})") from error
    finally:
        _lines.remove(line)


_lines: list[str] = []
"""What to say when a process is lost, as far as it is known."""


def let_abort_mean_loss() -> None:
    """Let abort() end this process as one that has lost another.

    For an engine that aborts while Python waits for a sum. If the sum fails,
    too, the main thread says so first, and writes the record. Not by
    `signal.signal`: its functions run later, in the main thread.
    """

    def end(number: int) -> None:
        time.sleep(2 * GRACE)
        line = "another process of this training was lost"
        say(f"error: {_lines[-1] if _lines else line}", sys.stderr)
        os._exit(LostProcess.exit_code)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(end)
    _handlers.append(handler)
    ctypes.CDLL(None).signal(signal.SIGABRT, handler)


_handlers: list[object] = []
"""Functions that C holds, too; Python must not forget them."""


@contextmanager
def suppress_lost(world: World) -> Iterator[None]:
    """Let no loss of another process spoil a training that is complete."""
    try:
        yield
    except Exception as error:
        if not world.is_lost(error):
            raise
