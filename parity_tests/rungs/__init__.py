"""The rungs of the ladder, one module for each case.

A module's `trace(driver)` puts a framework's numbers into its trace; where
the oracle has the same numbers, `expected()` returns them.
"""

# In the order in which a trace is made.
RUNGS = (
    "rung0_structure",
    "rung1_schedule",
    "rung2_data",
    "rung3_init",
    "rung4_forward",
    "rung4_dropout",
    "rung4_bfloat16",
    "rung4_tf32",
    "rung5_gradients",
    "rung6_optimizer",
    "rung7_trajectory",
    "rung7_program",
    "rung7_mode",
    "rung7_calm",
    "rung7_wide",
    "rung7_page",
    "rung8_race",
    "rung9_world",
)
