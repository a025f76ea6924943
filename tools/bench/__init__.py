"""How fast each framework trains, beside the limit of the machine.

`__main__.py` reads the flags, `plan.py` says what is measured, `run.py`
starts each measurement in a process and an environment of its own. There
`child.py` takes over: `training.py`, `limits.py`, `peer.py`, `usual.py` or
`profile.py` measure. `report.py` and `tables.py` put together what came out.
"""
