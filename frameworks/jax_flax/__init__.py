"""DavidNet in JAX 0.10 with flax nnx and optax, compiled with jax.jit.

Images are (N, H, W, C) throughout. Nothing is changed in place: a step takes
the whole state (weights, statistics, velocity) and returns a new one, and
gives its memory up for it (donation).
"""

from common.run.process import set_environment
from common.run.signals import let_ctrl_c_end_imports

let_ctrl_c_end_imports()
# Before any file here imports the framework, which reads it then.
set_environment("jax_flax")
