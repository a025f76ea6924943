"""One command for a machine with a GPU and no network.

    python -m tools.gpu_check --out DIR --minutes 25

What is there, parity of GPU and CPU, speed, and as many full trainings as the
time allows; with 10 minutes less of each. `summary.md` has it all on a page.
Needs NumPy and msgspec; what it starts needs what a training needs.
"""
