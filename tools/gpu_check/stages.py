"""Programs, one after the other, each with a log and a line in stages.json."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.files import write_atomic
from common.run.machine import ROOT
from common.run.signals import delayed_signals
from tools.gpu_check import summary

PATIENCE = 60  # seconds for a program to write how it was stopped


@dataclass
class Stages:
    """The folder of results, the clock, and what was done so far."""

    out: Path
    minutes: float
    done: list[dict] = field(default_factory=list)
    tables: dict[str, str] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)

    @property
    def seconds_left(self) -> float:
        """Of the whole budget."""
        return 60 * self.minutes - (time.monotonic() - self.start)

    @property
    def failed(self) -> bool:
        """Whether any stage did not do what it should."""
        return not all(stage["ok"] for stage in self.done)

    def write(self, name: str, value) -> None:
        """A JSON file, whole or not at all."""
        text = json.dumps(value, indent=1) + "\n"
        write_atomic(self.out / f"{name}.json", text.encode())

    def note(
        self, name: str, outcome: str, ok: bool, seconds: float = 0.0
    ) -> None:
        """Say and keep how a stage ended."""
        self.done.append(
            {
                "stage": name,
                "ok": ok,
                "outcome": outcome,
                "seconds": round(seconds, 1),
            }
        )
        self.write("stages", self.done)
        summary.write(self)
        print(f"{name}: {outcome} ({seconds:.0f} s)", flush=True)

    def table(self, name: str, text: str) -> None:
        """Put a table onto the page, at once: a check may be cut off."""
        self.tables[name] = text
        summary.write(self)

    def run(
        self,
        name: str,
        command: Sequence[str],
        limit: float,
        environment: dict[str, str] | None = None,
    ) -> tuple[int | None, float]:
        """Run a program; its exit code, None if it was stopped, and seconds.

        limit: seconds, at most what is left. Ctrl-C reaches the program too;
        it gets the time to write its record.
        """
        limit = min(limit, self.seconds_left)
        if limit <= 0:
            self.note(name, "NOT RUN: no time left", False)
            return None, 0.0
        log = self.out / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        child, code, outcome = None, None, "interrupted"
        with log.open("w") as file:
            file.write(" ".join(command) + "\n\n")
            file.flush()
            try:
                with delayed_signals():
                    child = subprocess.Popen(
                        command,
                        cwd=ROOT,
                        env=os.environ | (environment or {}),
                        stdout=file,
                        stderr=subprocess.STDOUT,
                    )
                code = child.wait(limit)
                outcome = "done"
                if code:
                    outcome = f"exit code {code}: {last_line(log)}"
            except subprocess.TimeoutExpired:
                outcome = f"stopped after {limit:.0f} s"
                stop(child, signal.SIGTERM)
            except KeyboardInterrupt:
                # It may have had the same Ctrl-C: one more does no harm.
                if child:
                    stop(child, signal.SIGINT)
                raise
            finally:
                took = time.monotonic() - begun
                self.note(name, f"{outcome}; see {log}", code == 0, took)
        return code, took


def last_line(log: Path) -> str:
    """What a program that failed said at its end."""
    lines = log.read_text(errors="replace").split("\n\n", 1)[-1].split("\n")
    return next((line for line in reversed(lines) if line.strip()), "no word")


def stop(child: subprocess.Popen, number: int) -> None:
    """End a program by a signal and, if it does not, by force."""
    child.send_signal(number)
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
