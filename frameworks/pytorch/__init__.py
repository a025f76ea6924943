"""DavidNet in PyTorch 2.13, run eagerly, or compiled with --mode compiled.

Images are kept as (N, H, W, C) and go through the network as (N, C, H, W)
views of the same memory (channels-last). State is held by objects, the
module and the optimizer, and `train_step` changes it in place.
"""

from common.run.process import set_environment
from common.run.signals import let_ctrl_c_end_imports

let_ctrl_c_end_imports()
# Before any file here imports the framework, which reads it then.
set_environment("pytorch")
