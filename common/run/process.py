"""Keep large buffers in the process: glibc's allocator, tuned.

By default glibc gives every large buffer back to the kernel when it is
freed and gets it again, page by page, at the next step: half the time of a
training step on a CPU can go into page faults. With these settings memory
is kept. They are those of the environment variables MALLOC_*, but work for
a process that has started; they must be set before the framework starts
its threads.
"""

import ctypes

# Parameter numbers from glibc's malloc.h, and what they are set to.
SETTINGS = {
    "M_TRIM_THRESHOLD": (-1, 2**31 - 1),  # bytes free before any go back
    "M_MMAP_MAX": (-4, 0),  # buffers mapped one by one: none
    "M_ARENA_MAX": (-8, 1),  # one heap: others are capped at 64 MiB
}


def tune_allocator() -> dict[str, int]:
    """Change the settings; returns those that were taken.

    Nothing happens, and the result is empty, where the C library is not
    glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return {}
    return {
        name: value
        for name, (number, value) in SETTINGS.items()
        if mallopt(number, value) == 1
    }
