"""Where TensorFlow would place tensors on a GPU, followed on a CPU.

TensorFlow runs an op on the GPU if a kernel for it is registered there, else
on the CPU, silently. A kernel takes and leaves some of its arguments in the
host's memory. Wherever a tensor is not in the memory that an op wants it in,
TensorFlow copies it, and the host waits for the GPU. `Follower` sees each op
that runs and counts these copies. As TensorFlow does, it remembers a copy
beside the tensor, and keeps the tensors of Python's own numbers.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import (
    constant_op,
    op_callbacks,
    op_def_registry,
    ops,
)

from parity_tests.gpu import tensorflow_kernels

GPU, HOST = "the GPU's memory", "the host's memory"
# Their results depend on shapes alone, or they are values in the program.
FOLDED = {"Const", "Shape", "ShapeN", "Size", "Rank"}
# They start no kernel: the result is the input, or a fact about it.
WITHOUT_KERNEL = FOLDED | {
    *("Identity", "IdentityN", "Reshape", "ExpandDims", "Squeeze", "NoOp"),
    *("ReadVariableOp", "AssignVariableOp", "StopGradient", "Placeholder"),
}


@dataclass
class Stage:
    """What was seen in one stage of the program."""

    ops: Counter = field(default_factory=Counter)  # by name, that ran
    copies: Counter = field(default_factory=Counter)  # between the memories
    missing: set = field(default_factory=set)  # ops without a kernel
    moved: int = 0  # bytes that kernels read and write, outside of functions
    made: int = 0  # bytes that they write

    @property
    def kernels(self) -> int:
        """Ops that start at least one kernel."""
        return sum(n for op, n in self.ops.items() if op not in WITHOUT_KERNEL)


def text(name: str | bytes) -> str:
    """A name as TensorFlow gives it, in either type."""
    return name.decode() if isinstance(name, bytes) else name


def expand(args, attrs: dict, found: list) -> list[tuple]:
    """Each tensor with its argument in the op's definition."""
    pairs, rest = [], list(found)
    for arg in args:
        count = 1
        if arg.number_attr:
            count = attrs[arg.number_attr]
        elif arg.type_list_attr:
            count = len(attrs[arg.type_list_attr])
        pairs += [(arg, tensor) for tensor in rest[:count]]
        rest = rest[count:]
    return pairs


def types_of(pairs: list[tuple], attrs: dict) -> dict[str, str]:
    """The types that choose a kernel, by attribute."""
    types = {
        name: tf.as_dtype(value).name
        for name, value in attrs.items()
        if isinstance(value, tf.DType)
    }
    for arg, tensor in pairs:
        if arg.type_attr:
            types[arg.type_attr] = tensor.dtype.name
    return types


class Follower:
    """Follow every tensor of a program through the two memories."""

    def __init__(self):
        self.stages: dict[str, Stage] = {}
        self.stage = Stage()
        # By id, the memories that a tensor is in. The tensor is kept, or
        # another one could get its id.
        self.places: dict[int, tuple[set[str], object]] = {}
        self.numbers: dict[tuple, set[str]] = {}  # Python's, by value and type
        self.functions: dict[str, Stage] = {}
        self.variable_shapes: set[tuple] = set()

    @contextmanager
    def follow(self, stage: str) -> Iterator[Stage]:
        """Count what runs inside the block, as this stage."""
        self.stage = self.stages.setdefault(stage, Stage())
        convert = constant_op.convert_to_eager_tensor
        numpy = ops._EagerTensorBase._numpy

        def made(value, *more, **named):
            tensor = convert(value, *more, **named)
            if not isinstance(value, ops.EagerTensor):
                self.make(tensor, isinstance(value, (bool, int, float)))
            return tensor

        def read(tensor):
            if HOST not in self.memories(tensor):
                self.stage.copies["a tensor is read by Python"] += 1
            return numpy(tensor)

        op_callbacks.add_op_callback(self.see)
        try:
            with (
                mock.patch.object(constant_op, "convert_to_eager_tensor", made),
                mock.patch.object(ops._EagerTensorBase, "_numpy", read),
            ):
                yield self.stage
        finally:
            op_callbacks.remove_op_callback(self.see)

    def make(self, tensor, number: bool) -> None:
        """A tensor made from Python's values: a number, or an array."""
        first = HOST if tensor.dtype == tf.int32 else GPU
        if number:
            key = tensor.dtype, tensor._numpy_internal().item()
            places = self.numbers.setdefault(key, {first})
        else:
            places = {first}
            if first == GPU:
                self.stage.copies["an array is copied to the GPU"] += 1
        self.places[id(tensor)] = places, tensor

    def memories(self, tensor) -> set[str]:
        """The memories that a tensor would be in.

        Two kinds of tensors are made without being seen: those of Python's
        values, and the values of variables.
        """
        if id(tensor) not in self.places:
            number = tensor.shape.rank == 0
            if not number and tuple(tensor.shape) in self.variable_shapes:
                self.places[id(tensor)] = {GPU}, tensor
            else:
                self.make(tensor, number)
        return self.places[id(tensor)][0]

    def see(self, op, inputs, attrs, outputs, op_name=None, graph=None):
        """Follow one op that ran; TensorFlow calls this after each."""
        if graph is not None:
            return  # it is traced, not run
        op = text(op)
        if op.startswith("__"):
            self.see_function(op, inputs, outputs)
            return
        names, values = attrs[::2], attrs[1::2]
        attrs = dict(zip(map(text, names), values, strict=True))
        definition = op_def_registry.get(op)
        given = expand(definition.input_arg, attrs, inputs)
        made = expand(definition.output_arg, attrs, outputs)
        self.stage.ops[op] += 1
        types = types_of([*given, *made], attrs)
        kernel = tensorflow_kernels.find(op, types)
        if kernel is None:
            self.stage.missing.add(f"{op} {types}")
        for arg, tensor in given:
            if tensor.dtype != tf.resource:
                self.want(op, arg.name, tensor, memory(kernel, arg.name))
        if op not in WITHOUT_KERNEL:
            results = sum(map(size, outputs))
            self.stage.moved += sum(map(size, inputs)) + results
            self.stage.made += results
        for arg, tensor in made:
            self.places[id(tensor)] = {memory(kernel, arg.name)}, tensor

    def want(self, op: str, name: str, tensor, wanted: str) -> None:
        """Count a copy if a tensor is not where an op takes it."""
        places = self.memories(tensor)
        if wanted not in places:
            self.stage.copies[f"{op}: {name} is copied to {wanted}"] += 1
            places.add(wanted)

    def see_function(self, name: str, inputs, outputs) -> None:
        """Follow a compiled function; only numbers of int32 are the host's."""
        for tensor in inputs:
            if tensor.dtype not in (tf.resource, tf.int32):
                self.want("a function", "input", tensor, GPU)
        for tensor in outputs:
            place = HOST if tensor.dtype == tf.int32 else GPU
            self.places[id(tensor)] = {place}, tensor
        if name not in self.functions:
            self.functions[name] = Stage()
            follow_function(name, self.functions[name])
        inner = self.functions[name]
        self.stage.ops += inner.ops
        self.stage.copies += inner.copies
        self.stage.missing |= inner.missing


def size(tensor) -> int:
    """Bytes of its numbers; a handle has none."""
    if tensor.dtype == tf.resource:
        return 0
    return tensor.shape.num_elements() * tensor.dtype.size


def memory(kernel, name: str) -> str:
    """Where a kernel takes or leaves an argument."""
    return HOST if kernel is None or name in kernel[1] else GPU


# --- Functions ----------------------------------------------------------


def attributes(node) -> dict:
    """The attributes of a node that tell types and counts."""
    found = {}
    for name, value in node.attr.items():
        kind = value.WhichOneof("value")
        if kind == "type":
            found[name] = tf.as_dtype(value.type)
        elif kind == "i":
            found[name] = value.i
        elif kind == "list" and value.list.type:
            found[name] = list(value.list.type)
    return found


def follow_function(name: str, stage: Stage, compiled: bool = False) -> None:
    """Count the copies inside a function, from its definition.

    compiled: by XLA, into the program of its caller. There, what a kernel
    would take in the host's memory must be known when it is compiled.
    """
    function = context.context().get_function_def(name)
    nodes = {node.name: node for node in function.node_def}
    if not compiled and function.attr["_XlaMustCompile"].b:
        compiled = True
        stage.ops["a program of XLA"] += 1
    for node in function.node_def:
        inner = node.attr["f"].func.name
        if inner:
            follow_function(inner, stage, compiled)
        elif compiled and not tensorflow_kernels.compiles(node.op):
            stage.missing.add(f"{node.op}, by XLA")
        else:
            follow_node(node, nodes, stage, compiled)


def follow_node(node, nodes: dict, stage: Stage, compiled: bool) -> None:
    """Count the copies that one node of a function needs."""
    attrs = attributes(node)
    definition = op_def_registry.get(node.op)
    types = types_of([], attrs)
    kernel = tensorflow_kernels.find(node.op, types)
    if not compiled:
        stage.ops[node.op] += 1
        if kernel is None:
            stage.missing.add(f"{node.op} {types}")
    inputs = [i for i in node.input if not i.startswith("^")]
    for arg, tensor in expand(definition.input_arg, attrs, inputs):
        if arg.type == tf.resource.as_datatype_enum or folded(tensor, nodes):
            continue
        wanted = memory(kernel, arg.name)
        found = GPU if compiled else left(tensor, nodes)
        if found != wanted and not (compiled and kernel is None):
            stage.copies[f"{node.op}: {arg.name} is copied to {wanted}"] += 1


def folded(tensor: str, nodes: dict) -> bool:
    """Whether a value is known before the program runs."""
    node = nodes.get(tensor.partition(":")[0])
    if node is None:
        return False  # an argument of the function
    inputs: Iterable = [i for i in node.input if not i.startswith("^")]
    return node.op in FOLDED or (
        bool(inputs) and all(folded(i, nodes) for i in inputs)
    )


def left(tensor: str, nodes: dict) -> str:
    """The memory that a node leaves its result in."""
    producer, _, output = tensor.partition(":")
    if producer not in nodes:
        return GPU
    node = nodes[producer]
    kernel = tensorflow_kernels.find(node.op, types_of([], attributes(node)))
    return memory(kernel, output.partition(":")[0])
