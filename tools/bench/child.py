"""The measuring process: one Job in, one JSON file out.

python -m tools.bench.child '{"kind": ..., ...}' DATA OUT
"""

import json
import sys
from importlib import import_module, metadata
from pathlib import Path

from common.run.machine import library_versions
from tools.bench.plan import KERAS, Job

MEASURE = {
    "limits": "tools.bench.limits",
    "training": "tools.bench.training",
    "peer": "tools.bench.peer",
    "usual": "tools.bench.usual",
    "profile": "tools.bench.profile",
    KERAS: "tools.bench.profile",
}


def peak_memory() -> int:
    """The highest resident size of this process so far, in bytes."""
    # getrusage would count what the parent had before it became this one.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status has no VmHWM")


def main() -> None:
    """Measure what the command line says and write the file."""
    job = Job(**json.loads(sys.argv[1]))
    data, out = Path(sys.argv[2]), Path(sys.argv[3])
    found = import_module(MEASURE[job.kind]).measure(job, data)
    found["peak_memory_bytes"] = peak_memory()
    found["versions"] = library_versions(job.framework)
    if job.keras:
        found["versions"]["keras"] = metadata.version("keras")
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
