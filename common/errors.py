"""Errors that end a run with one clear line, and their exit codes.

The codes are those of BSD's sysexits.h where it has one.
"""

from argparse import ArgumentTypeError

DONE = 0


class UserError(Exception):
    """An error that its message explains in full; no traceback is needed."""

    exit_code = 1


class UsageError(UserError):
    """A flag, or a combination of flags, that makes no sense."""

    exit_code = 2


class PathError(UsageError, ArgumentTypeError, ValueError):
    """A flag's path that cannot be read as one.

    argparse makes a usage error of its own of the second kind, tyro of the
    third.
    """


class DataError(UserError):
    """Data that is damaged, or not the data that was asked for."""

    exit_code = 65


class CheckpointError(UserError):
    """A checkpoint that is damaged, or belongs to another recipe."""

    exit_code = 65


class RecordError(UserError):
    """A run record that is damaged, or is not what was asked for."""

    exit_code = 65


class SourceError(UserError):
    """No source could supply the data set."""

    exit_code = 69


class LossNotFinite(UserError):
    """The loss became NaN or infinite; the training cannot go on."""

    exit_code = 70


class DiskError(UserError):
    """A file or a folder that cannot be read, written or locked."""

    exit_code = 74


class LostProcess(UserError):
    """Another process of this training does not answer any more."""

    exit_code = 75


class WorldError(UserError):
    """The processes of a training do not find each other, or differ."""

    exit_code = 78


class DeviceError(UserError):
    """A device that is not there, or a machine that cannot do it."""

    exit_code = 78


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, by name, where Ctrl-C raises KeyboardInterrupt."""


INTERRUPTED = 130  # 128 + SIGINT
TERMINATED = 143  # 128 + SIGTERM
