"""glibc's allocator: which parameters are set, and what is reported."""

import ctypes

from common.recipe import Recipe
from common.run import process
from common.run.process import (
    LARGE_BLOCK,
    SETTINGS,
    fit_allocator,
    tune_allocator,
)


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


def test_a_step_with_a_large_block_maps_its_buffers(monkeypatch):
    """And the next training of the process, with a small one, does not."""
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    for framework, images, mapped in (
        ("jax_flax", 512, 65_536),
        ("jax_flax", 511, 0),
        ("pytorch", 512, 0),
    ):
        recipe = Recipe(width=LARGE_BLOCK // 512, batch_size=images)
        fit_allocator(framework, "compiled", recipe)
        assert tune_allocator()["M_MMAP_MAX"] == mapped
    assert library.asked[-3:] == list(SETTINGS.values())
