"""What a program of XLA does, read from its text.

The text is that of the compiled, scheduled program: each instruction of the
main computation, and of a loop's body, is what the GPU is given in turn.
"""

import re
from collections import Counter
from dataclasses import dataclass

SIZES = {
    **dict.fromkeys(("pred", "u8", "s8"), 1),
    **dict.fromkeys(("bf16", "f16"), 2),
    **dict.fromkeys(("f32", "s32", "u32"), 4),
    **dict.fromkeys(("f64", "s64", "u64"), 8),
}
# They start no kernel: names for memory, values in the program, control.
WITHOUT_KERNEL = {
    *("parameter", "tuple", "get-tuple-element", "bitcast", "constant"),
    *("while", "after-all", "partition-id", "replica-id", "call"),
}
# What would leave the GPU, or wait for the host.
CROSSINGS = {
    *("infeed", "outfeed", "send", "recv", "send-done", "recv-done"),
    *("copy-start", "copy-done"),
}
HOST_MEMORY = "S(5)"  # as a layout marks it
COLLECTIVES = (
    *("all-reduce", "all-gather", "reduce-scatter", "all-to-all"),
    "collective-permute",
)
INSTRUCTION = re.compile(
    r"^\s+(?:ROOT )?%([\w.-]+) = (.+?) ([a-z][\w-]*)\((.*)$"
)
SHAPE = re.compile(r"\b([a-z]+\d*)\[([\d,]*)\](\{[^}]*\})?")


@dataclass(frozen=True)
class Instruction:
    """One line of a computation."""

    name: str
    kind: str  # "fusion", say
    type: str  # of the result
    operands: tuple[str, ...]  # names
    text: str

    @property
    def starts_kernel(self) -> bool:
        """Whether the GPU runs something for it."""
        done = self.kind.endswith("-done")  # its start was counted
        return not done and self.kind not in WITHOUT_KERNEL

    @property
    def target(self) -> str:
        """The library's function that is called; else ""."""
        found = re.search(r'custom_call_target="([^"]+)"', self.text)
        return found[1] if found else ""


@dataclass(frozen=True)
class Program:
    """The computations of a program; `main` is its own."""

    main: list[Instruction]
    loop: list[Instruction]  # the body of its one loop; else empty
    text: str

    def crossings(self) -> dict[str, int]:
        """What would leave the GPU, by kind, anywhere in the program."""
        kinds = re.findall(
            r"^\s+(?:ROOT )?%\S+ = .+? ([a-z][\w-]*)\(", self.text, re.M
        )
        found = Counter(kind for kind in kinds if kind in CROSSINGS)
        found["memory of the host"] = self.text.count(HOST_MEMORY)
        return dict(+found)

    def step(self) -> list[Instruction]:
        """The instructions of one step: the loop's body, if there is one."""
        return self.loop or self.main


def read(text: str) -> Program:
    """Read a program from `compiled.as_text()`."""
    computations, own, entry = {}, [], ""
    for line in text.splitlines():
        head = re.match(r"^(ENTRY )?%([\w.-]+) \(", line)
        if head:
            own = computations.setdefault(head[2], [])
            entry = head[2] if head[1] else entry
        elif found := INSTRUCTION.match(line):
            name, type_, kind, rest = found.groups()
            operands = re.findall(r"%([\w.-]+)", rest.partition(")")[0])
            own.append(Instruction(name, kind, type_, tuple(operands), line))
    bodies = re.findall(r" while\(.*?body=%([\w.-]+)", text)
    if len(bodies) > 1:
        raise ValueError(f"expected one loop, found {len(bodies)}")
    loop = computations[bodies[0]] if bodies else []
    return Program(computations[entry], loop, text)


def size(type_: str) -> int:
    """Bytes of a type, all parts of a tuple together."""
    total = 0
    for kind, dims, _ in SHAPE.findall(type_):
        count = 1
        for dim in filter(None, dims.split(",")):
            count *= int(dim)
        total += SIZES.get(kind, 0) * count
    return total


def moved(step: list[Instruction], sets: int) -> int:
    """Bytes that the kernels of a step read and write.

    sets: from this first dimension on an operand is a whole data set, of
    which a kernel reads as much as it makes.
    """
    types = {i.name: i.type for i in step}
    total = 0
    for instruction in filter(lambda i: i.starts_kernel, step):
        made = size(instruction.type)
        total += made
        for name in instruction.operands:
            type_ = types.get(name, "")
            first = SHAPE.search(type_)
            whole = first and int(first[2].partition(",")[0] or 0) >= sets
            total += min(size(type_), made) if whole else size(type_)
    return total


def types_of(step: list[Instruction], names: tuple[str, ...]) -> list[str]:
    """The element types of these values."""
    types = {i.name: i.type for i in step}
    return [SHAPE.search(types[name])[1] for name in names]


def is_channels_last(instruction: Instruction) -> bool:
    """Whether a convolution's images are (N, H, W, C), in memory too."""
    labels = "dim_labels=b01f_o01i->b01f" in instruction.text
    return labels and SHAPE.findall(instruction.type)[0][2] == "{3,2,1,0}"
