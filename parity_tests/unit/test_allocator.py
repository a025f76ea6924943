"""glibc's allocator: which parameters are set, and what is reported."""

import ctypes

from common.run import process
from common.run.process import SETTINGS, tune_allocator


class Library:
    """A C library that takes some parameters and notes all."""

    def __init__(self, *refused: int):
        self.asked = []

        def mallopt(number: int, value: int) -> int:
            self.asked.append((number, value))
            return int(number not in refused)

        self.mallopt = mallopt


def test_the_numbers_are_those_of_malloc_h():
    # glibc's malloc.h: M_TRIM_THRESHOLD -1, M_MMAP_MAX -4, M_ARENA_MAX -8.
    assert SETTINGS == {
        "M_TRIM_THRESHOLD": (-1, 2_147_483_647),
        "M_MMAP_MAX": (-4, 0),
        "M_ARENA_MAX": (-8, 1),
    }


def test_what_was_taken_is_reported(monkeypatch):
    library = Library(-4)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    found = tune_allocator()
    assert found == {"M_TRIM_THRESHOLD": 2_147_483_647, "M_ARENA_MAX": 1}
    assert library.asked == list(SETTINGS.values())


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(process.ctypes, "CDLL", lambda name: object())
    assert tune_allocator() == {}
