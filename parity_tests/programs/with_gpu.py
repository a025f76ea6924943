"""What a program takes where there is a GPU, told by stand-ins for one.

    python -m parity_tests.programs.with_gpu pytorch

Run in the framework's environment. Every question that its files ask about
devices is answered as on a machine with a GPU. Prints JSON: by --device the
name that the record would give, what else was set, whether the record would
tell that TF32 is on, --help, and how a training ends that finds the GPU's
memory full.
"""

import contextlib
import importlib
import io
import json
import os
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from unittest.mock import Mock, patch

from common.errors import DeviceError, UsageError
from common.recipe import Recipe

NAME = "a stand-in for a GPU"


@contextlib.contextmanager
def pytorch() -> Iterator[None]:
    """A GPU for PyTorch; then, that all was set as it should be."""
    import torch

    with (
        patch.object(torch.cuda, "is_available", lambda: True),
        patch.object(torch.cuda, "get_device_name", lambda device: NAME),
    ):
        one_of_two()
        yield
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.benchmark


def one_of_two() -> None:
    """Join as one of two processes of PyTorch: tensors of a CPU are summed."""
    import torch

    from frameworks.pytorch import parallel

    join, place = Mock(), Mock()
    with (
        patch.dict("os.environ", WORLD_SIZE="2", LOCAL_RANK="1"),
        patch.object(torch.distributed, "init_process_group", join),
        patch.object(torch.cuda, "set_device", place),
        patch.object(torch.cuda, "device_count", lambda: 2),
        patch.object(parallel, "let_abort_mean_loss") as let_abort,
    ):
        for device in ("auto", "cpu"):
            parallel.join_world(device, 1)
        # A third process has none; it would be told by CUDA's error.
        with (
            patch.dict("os.environ", LOCAL_RANK="2"),
            contextlib.suppress(DeviceError),
        ):
            parallel.join_world("auto", 1)
            raise AssertionError("a process has a GPU that is not there")
        with contextlib.suppress(UsageError):
            del os.environ["LOCAL_RANK"]
            parallel.join_world("auto", 1)
            raise AssertionError("a process does not know its GPU")
    asked = [call.args[0] for call in join.mock_calls]
    assert asked == ["cpu:gloo,cuda:nccl", "gloo"]
    place.assert_called_once_with(1)
    let_abort.assert_called_once_with()


@contextlib.contextmanager
def tensorflow_eager() -> Iterator[None]:
    """A GPU for TensorFlow; then, that all was set as it should be."""
    import tensorflow as tf

    hide = Mock()
    details = {"device_name": NAME}
    kinds = {"GPU": [NAME, "another"], "CPU": ["a CPU"]}
    with (
        patch.object(
            tf.config, "list_physical_devices", lambda kind: kinds.get(kind, [])
        ),
        patch.object(tf.config, "set_visible_devices", hide),
        patch.object(
            tf.config.experimental, "get_device_details", lambda gpu: details
        ),
    ):
        yield
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
    # For auto, cpu and gpu; one of two, since it takes the memory of all.
    seen = [call.args for call in hide.mock_calls]
    assert seen == [([NAME], "GPU"), ([], "GPU"), ([NAME], "GPU")]


@contextlib.contextmanager
def jax_flax() -> Iterator[None]:
    """A GPU for JAX; then, that all was set as it should be."""
    import jax

    gpu = SimpleNamespace(platform="gpu", device_kind=NAME)
    devices = {"gpu": [gpu], "cpu": jax.devices("cpu")}
    update = Mock()
    with (
        patch.object(jax, "devices", devices.get),
        patch.object(jax, "default_backend", lambda: "gpu"),
        patch.object(jax.config, "update", update),
    ):
        yield
    for name, value in (("device", gpu), ("matmul_precision", "highest")):
        update.assert_any_call(f"jax_default_{name}", value)
    # The memory of no other.
    update.assert_any_call("jax_cuda_visible_devices", "0")
    hidden = [c for c in update.mock_calls if c.args[0] == "jax_platforms"]
    assert [c.args[1] for c in hidden] == ["cpu"]  # for --device cpu


GPUS = {
    "pytorch": pytorch,
    "tensorflow_eager": tensorflow_eager,
    "jax_flax": jax_flax,
}


def full_memory(framework: str) -> Exception:
    """The framework's own error where a GPU's memory is full."""
    if framework == "pytorch":
        import torch

        return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
    if framework == "jax_flax":
        import jax

        return jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
    import tensorflow as tf

    text = "OOM when allocating tensor on GPU:0 by allocator GPU_0_bfc"
    return tf.errors.ResourceExhaustedError(None, None, text)


def allow_tf32(framework: str) -> None:
    """Undo what configure() sets, as a library could."""
    if framework == "pytorch":
        import torch

        torch.backends.cudnn.allow_tf32 = True
    elif framework == "jax_flax":
        import jax

        jax.config.update("jax_default_matmul_precision", None)
    else:
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(True)


def main(framework: str) -> dict:
    """All that is printed."""

    def module(name: str) -> ModuleType:
        return importlib.import_module(f"frameworks.{framework}.{name}")

    data, train = module("data"), module("train")
    said = {}
    with GPUS[framework]():
        for name in ("auto", "cpu", "gpu"):
            device = data.find_device(name)
            data.configure(Recipe(), device)
            said[name] = data.describe_device(device)["device"]
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            try:
                train.main(["--help"])
            except SystemExit as end:
                said["exit code"] = end.code
        said["help"] = text.getvalue()
        told = io.StringIO()
        with (
            contextlib.redirect_stderr(told),
            patch.object(train, "train", side_effect=full_memory(framework)),
        ):
            said["full"] = train.main(["--preset", "smoke"])
        said["told"] = told.getvalue()
    device = data.find_device("cpu")
    data.configure(Recipe(), device)
    said["tf32"] = [data.describe_device(device)["tf32"]]
    allow_tf32(framework)
    said["tf32"].append(data.describe_device(device)["tf32"])
    return said


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
