"""DavidNet in TensorFlow 2.21, run eagerly, or as a graph with --mode compiled.

Images are (N, H, W, C) throughout. State is held by variables inside the
model and the optimizer, and `train_step` changes it in place.
"""

from common.run.process import set_environment
from common.run.signals import let_ctrl_c_end_imports

let_ctrl_c_end_imports()
# Before any file here imports the framework, which reads it then.
set_environment("tensorflow_eager")
