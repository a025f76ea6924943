"""What a GPU computes otherwise, and by how much it may.

XLA hands cuDNN a convolution whole with what follows it: the factor 1 / (1 -
rate) of dropout, or the weight times its decay, which is added to a gradient.
cuDNN takes such a factor in float32, also where all tensors are float64
(github.com/NVIDIA/cudnn-frontend/pull/423). So in float64, JAX on a GPU
rounds these two factors to float32, and nothing else. In float32 and bfloat16
they are float32 anyway.
"""

from parity_tests.judge.checks import Traces

# Half the distance between two neighboring float32, relative: the rounding.
FLOAT32 = 2.0**-24
# Of the ladder, the cases where such a factor follows a convolution.
DECAY = "6/float64/decay/"
DROPOUT = "4/float64/dropout-"


def on_gpu(traces: Traces, who: str) -> bool:
    """Whether a trace says that it was made on one."""
    return traces.facts.get(who, {}).get("device", "cpu") not in ("", "cpu")


def rounded_factor(traces: Traces, name: str, who: str) -> float | None:
    """The tolerance of a factor in float32, where cuDNN applies one.

    who: whose tensor it is. None: no reason for another tolerance.
    """
    facts = traces.facts.get(who, {})
    if facts.get("framework") != "jax_flax" or not on_gpu(traces, who):
        return None
    return FLOAT32 if name.startswith((DECAY, DROPOUT)) else None
