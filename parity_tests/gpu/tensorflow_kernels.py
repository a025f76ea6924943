"""Which TensorFlow kernels there are for a GPU, and where their tensors lie.

    python -m parity_tests.gpu.tensorflow_kernels

Run with TensorFlow's GPU wheel, of the release that requirements/ pins; no
GPU, driver or CUDA library is needed, since a kernel is registered when the
wheel is loaded. It writes `tensorflow_kernels.json` beside this file. A
kernel is a list: the types that it is for, by attribute, and the arguments
that it wants in, or leaves in, the host's memory.
"""

import json
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_suffix(".json")
# A kernel that is registered for no device by name serves every one.
DEVICES = ("GPU", "DEFAULT")
COMPILED = "XLA_GPU_JIT"  # what XLA can compile for a GPU: names only
# The types that a training may have; kernels for others are left out.
TYPES = {
    *("bool", "uint8", "int32", "int64", "uint32", "uint64", "resource"),
    *("bfloat16", "float32", "float64"),
}
Kernel = tuple[dict[str, set[str]], set[str]]


@cache
def read() -> dict:
    """The table: "version", "cuda", "kernels" by device and op."""
    return json.loads(FILE.read_text())


def find(op: str, types: dict[str, str]) -> Kernel | None:
    """The kernel of an op for these types on a GPU; None if there is none."""
    for device in DEVICES:
        for wanted, host in read()["kernels"][device].get(op, []):
            fits = all(
                types[name] in allowed
                for name, allowed in wanted.items()
                if name in types
            )
            if fits:
                return wanted, set(host)
    return None


def compiles(op: str) -> bool:
    """Whether XLA can make a GPU's program of an op."""
    return op in read()["kernels"][COMPILED]


def merge(kernels: list[Kernel]) -> list:
    """The same kernels in fewer lists: types that differ in one attribute."""
    for name in sorted({n for wanted, _ in kernels for n in wanted}):
        groups = defaultdict(set)
        for wanted, host in kernels:
            rest = {n: tuple(sorted(t)) for n, t in wanted.items() if n != name}
            key = (tuple(sorted(rest.items())), tuple(sorted(host)))
            groups[key] |= wanted.get(name, set())
        kernels = [
            ({n: set(t) for n, t in rest} | ({name: t} if t else {}), set(host))
            for (rest, host), t in groups.items()
        ]
    return [
        [{n: sorted(wanted[n]) for n in sorted(wanted)}, sorted(host)]
        for wanted, host in kernels
    ]


def registered(all_kernels) -> dict[str, dict[str, list[Kernel]]]:
    """By device and op, what TensorFlow has; for XLA, that it has it."""
    import tensorflow as tf

    found = {d: defaultdict(list) for d in (*DEVICES, COMPILED)}
    for kernel in all_kernels:
        if kernel.device_type not in found:
            continue
        wanted = {
            c.name: {tf.as_dtype(t).name for t in c.allowed_values.list.type}
            for c in kernel.constraint
            if c.allowed_values.list.type
        }
        wanted = {name: types & TYPES for name, types in wanted.items()}
        if all(wanted.values()):
            own = found[kernel.device_type][kernel.op]
            own.append((wanted, set(kernel.host_memory_arg)))
    return found


def main() -> None:
    """Write the table anew, from the TensorFlow that is installed."""
    import tensorflow as tf
    from tensorflow.python.framework import kernels

    build = tf.sysconfig.get_build_info()
    if not build["is_cuda_build"]:
        sys.exit("error: expected TensorFlow's GPU wheel, found the CPU's")
    # XLA registers its kernels when the first function is compiled.
    tf.function(lambda x: x + 1, jit_compile=True)(tf.zeros(1))
    found = registered(kernels.get_all_registered_kernels().kernel)
    parts = [f'"{COMPILED}": {json.dumps(sorted(found.pop(COMPILED)))}']
    for device, ops in found.items():
        rows = (f'"{op}": {json.dumps(merge(ops[op]))}' for op in sorted(ops))
        parts.append(f'"{device}": {{\n' + ",\n".join(rows) + "\n}")
    head = {"version": tf.__version__, "cuda": build["cuda_version"]}
    text = json.dumps(head)[:-1] + ', "kernels": {\n' + ",\n".join(parts)
    FILE.write_text(text + "\n}}\n")


if __name__ == "__main__":
    main()
