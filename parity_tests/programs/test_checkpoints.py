"""Checkpoints of the three programs: whole, and the same bytes."""


def test_a_layer_that_the_table_does_not_name_is_refused(program):
    """It would train, be in no checkpoint, and keep what the warm-up did."""
    lines = program.module("unnamed", program.framework).splitlines()[-2:]
    assert len(lines) == 2
    for line in lines:
        assert "extra" in line or "dense" in line
        assert "does not stand in parameter_table()" in line
