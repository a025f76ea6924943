"""PyTorch's part of a trace: tensors in and out, gradients, hooks."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from common.environments import FRAMEWORKS
from common.recipe import Recipe
from frameworks.pytorch import checkpoint, model, step
from frameworks.pytorch.step import TrainState

MODE = FRAMEWORKS["pytorch"].mode
FAST_MODE = "eager"  # where there are thousands of steps


def tensor(array: np.ndarray, device) -> Tensor:
    """An array as it is."""
    return torch.from_numpy(np.array(array)).to(device)


def images(array: np.ndarray, device) -> Tensor:
    """(N, H, W, C) -> (N, C, H, W), a view, as train_batches yields it."""
    return tensor(array, device).permute(0, 3, 1, 2)


def labels(array: np.ndarray, device) -> Tensor:
    """Of the type that to_device gives them."""
    return tensor(array.astype(np.int64), device)


def rate(lr: float, device) -> float:
    """Of the type that run_epoch gives it."""
    return lr


def array(value: Tensor) -> np.ndarray:
    """A tensor as it is; bfloat16, which NumPy lacks, as float32."""
    value = torch.as_tensor(value).detach().cpu()
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()


def pictures(value: Tensor) -> np.ndarray:
    """(N, C, H, W) -> (N, H, W, C); other shapes stay."""
    return array(value.permute(0, 2, 3, 1) if value.dim() == 4 else value)


def dtype(value: Tensor) -> str:
    """Its name as NumPy spells it."""
    return str(value.dtype).removeprefix("torch.")


def settle(state: TrainState, device) -> TrainState:
    """Nothing to do: it was changed in place."""
    return state


def activations(state: TrainState, pixels: Tensor, train: bool) -> dict:
    """The probes, in training or evaluation mode."""
    state.model.train(train)
    return model.activations(state.model, pixels)


def step_dtypes(
    state: TrainState, train_step: Callable, pixels: Tensor, right: Tensor
) -> dict[str, str]:
    """Types inside a real step: of each ConvBN, the logits and the loss.

    The probes are no real step, so the modules are listened to.
    """
    found, handles = {}, []

    def listen(name, module):
        def hook(module, inputs, output):
            found[name] = dtype(output)

        handles.append(module.register_forward_hook(hook))

    for name, module in state.model.named_modules():
        if isinstance(module, model.ConvBN):
            listen(name, module)
    listen("logits", state.model.linear)
    state, metrics = train_step(state, pixels, right, 0.0)
    for handle in handles:
        handle.remove()
    return found | {"loss": dtype(metrics["loss"])}


def image_grad(state: TrainState, pixels: Tensor, right: Tensor) -> Tensor:
    """The derivative by the images, of the loss inside train_step."""
    pixels = pixels.clone().requires_grad_(True)
    step.train_step(state, pixels, right, 0.0)
    return pixels.grad


def apply(state: TrainState, grads: dict, lr: float, recipe) -> TrainState:
    """One update of the real optimizer by these gradients."""
    tensors = checkpoint.named_tensors(state, recipe)
    for name, grad in grads.items():
        weight = tensors[name]
        weight.grad = torch.empty_like(weight)
        axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[grad.ndim]
        weight.grad.copy_(torch.tensor(grad).permute(axes))
    for group in state.optimizer.param_groups:
        group["lr"] = lr
    state.optimizer.step()
    state.step += 1
    return state


def weight(state: TrainState, name: str, recipe: Recipe) -> np.ndarray:
    """One tensor of one axis, without the others."""
    return array(checkpoint.named_tensors(state, recipe)[name])


def replicas(state: TrainState) -> list[list[np.ndarray]]:
    """A process has one device."""
    return [[]]


def tf32() -> bool:
    """Whether a GPU may use TF32 anywhere."""
    backends = torch.backends
    return backends.cudnn.allow_tf32 or backends.cuda.matmul.allow_tf32


def counts(state: TrainState) -> tuple[int, int]:
    """Numbers that are trained, and running statistics, as PyTorch counts."""
    return (
        sum(p.numel() for p in state.model.parameters() if p.requires_grad),
        sum(b.numel() for b in state.model.buffers()),
    )
