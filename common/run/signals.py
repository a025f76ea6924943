"""Signals that end a run: raised in it, but not while its end is written.

SIGTERM and SIGHUP raise Terminated where Ctrl-C raises KeyboardInterrupt.
A second one may come at any time, also while the first unwinds the stack:
within a function that is marked by `@holding_signals` none is raised.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import TypeVar

from common.errors import Terminated

F = TypeVar("F", bound=Callable)

_HOLDING: set[CodeType] = set()
_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def holding_signals(function: F) -> F:
    """A function that the signals of `EndBySignals` do not interrupt.

    A signal that comes while it runs is dropped: the function writes how
    the run ended, and the process ends after it.
    """
    _HOLDING.add(function.__code__)
    return function


def let_ctrl_c_end_imports() -> None:
    """Let Ctrl-C end a training at once while its framework is imported.

    Not every library stands a KeyboardInterrupt in its import: PyTorch
    swallowed one and went on, JAX ended by SIGSEGV. `EndBySignals` takes over
    when all is imported. Does nothing unless the process was started by
    `python -m frameworks.<name>.train` or `.predict`: signals of others are
    not ours.
    """
    # What Python calls a module that it is about to find and run.
    started = sys.argv[:1] == ["-m"]
    if started and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        signal.signal(signal.SIGINT, signal.SIG_DFL)


class EndBySignals:
    """A block that the signals which end a process leave by an exception.

    So its record says how it ended. Only in the main thread: Python refuses
    handlers elsewhere, and leaves signals to the main thread.

    Not every library hands the exception on: TensorFlow has made a ValueError
    of one that was raised while its C++ code imported a module, and Python
    itself drops one that is raised in a finalizer. So the exception is kept:
    `behind` finds it again, `raise_swallowed` raises it.
    """

    raised: KeyboardInterrupt | None = None

    def __enter__(self) -> None:
        EndBySignals.raised = None
        before = sys.unraisablehook

        def tell(dropped) -> None:
            if dropped.exc_value is not EndBySignals.raised:
                before(dropped)

        self.hook, sys.unraisablehook = before, tell
        self.before: dict[int, Callable | int | None] = {}
        if threading.current_thread() is not threading.main_thread():
            return
        # SIGINT too: a shell starts background jobs with it ignored.
        for number in (signal.SIGTERM, signal.SIGINT):
            self.before[number] = signal.signal(number, _end)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as by nohup
            self.before[signal.SIGHUP] = signal.signal(signal.SIGHUP, _end)

    @holding_signals
    def __exit__(self, *error) -> None:
        EndBySignals.raised = None
        sys.unraisablehook = self.hook
        for number, handler in self.before.items():
            # None: a handler that was not set by Python stays lost.
            signal.signal(number, handler or signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> None:
    """Raise the signal's exception, unless a frame holds signals back.

    The frame of a call is there before its first line: unlike a handler
    that the function sets, this leaves no gap for a signal.
    """
    while frame is not None:
        if frame.f_code in _HOLDING:
            return
        frame = frame.f_back
    kind = KeyboardInterrupt if number == signal.SIGINT else Terminated
    EndBySignals.raised = kind(signal.Signals(number).name)
    raise EndBySignals.raised


@contextmanager
def delayed_signals() -> Iterator[None]:
    """A block that is left before a signal raises: for the start of a child.

    Else one that comes while `Popen` runs would leave a child that nobody
    knows of. Elsewhere than in the main thread no signal raises.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {n: signal.getsignal(n) for n in _ENDS}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # as by nohup, and for the child too
            signal.signal(number, lambda n, frame: came.append(n))
    try:
        yield
    finally:
        # SIGTERM last: once it is back, one that comes raises.
        for number in reversed(_ENDS):
            signal.signal(number, before[number] or signal.SIG_DFL)
        if came:
            signal.raise_signal(came[0])


def take_back() -> None:
    """Set the handlers anew: the C++ of a library may have replaced them."""
    for number in _ENDS:
        if signal.getsignal(number) is _end:
            signal.signal(number, _end)


def behind(error: BaseException) -> BaseException:
    """The exception of a signal, if a library has made `error` of it."""
    if isinstance(error, KeyboardInterrupt):
        return error
    return EndBySignals.raised or error


def raise_swallowed() -> None:
    """Raise the exception of a signal that a library has kept to itself.

    Called where one that was handed on would never arrive.
    """
    if EndBySignals.raised:
        raise EndBySignals.raised
