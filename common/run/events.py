"""The metrics as TensorBoard's event files: one for each start of a run.

TensorBoard reads the files of a folder in the order of their names, so these
are numbered. What a run wrote past the checkpoint that it was resumed from
is to be forgotten; the next file begins with a mark that says so.
"""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from common.files import disk_errors

NAME = r"events\.out\.tfevents\.(\d+)"


class Events:
    """One event file, written as the epochs end.

    folder: of the record's event files; made if it is not there
    first_step: of this start; from it on, what earlier files hold is void

    Raises DiskError here and in `add`.
    """

    def __init__(self, folder: Path, first_step: int):
        # Here: who does not ask for it need not wait for protobuf. Not
        # SummaryWriter: its thread loses what is queued in a process that
        # is killed, and hides that a disk is full.
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.record_writer import RecordWriter

        self.folder = folder
        with disk_errors(folder):
            folder.mkdir(exist_ok=True)
            found = (re.fullmatch(NAME, p.name) for p in folder.iterdir())
            number = 1 + max(
                (int(name[1]) for name in found if name), default=0
            )
            path = folder / f"events.out.tfevents.{number:05d}"
            self._writer = RecordWriter(str(path))
            self._write(Event(file_version="brain.Event:2"))
            if number > 1:
                start = SessionLog(status=SessionLog.START)
                self._write(Event(step=first_step, session_log=start))

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write numbers by name, and bring them to the disk."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=name, simple_value=value)
            for name, value in scalars.items()
        ]
        with disk_errors(self.folder):
            self._write(Event(step=step, summary=Summary(value=values)))

    def close(self) -> None:
        """Close the file. What could not be written, `add` has told."""
        with suppress(OSError):
            self._writer.close()

    def _write(self, event) -> None:
        event.wall_time = time.time()
        self._writer.write(event.SerializeToString())
        self._writer.flush()
