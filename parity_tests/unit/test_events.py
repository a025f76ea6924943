"""The event files, as TensorBoard's own reader reads them."""

from dataclasses import replace

import pytest
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from common.errors import DiskError
from common.recipe import PRESETS, Run
from common.run.about import Epoch
from common.run.events import Events
from common.run.records import read_run
from parity_tests.unit import recording

RECIPE = replace(PRESETS["smoke"], epochs=6)
TEST = {"loss": 1024.0, "correct": 256.0}
NOT_DRAWN = {"epoch", "step", "other_load"}  # the last is of the machine


def record(out, resume=False):
    run = Run(out=str(out), resume=resume, tensorboard=True)
    return recording.record(run, RECIPE)


def train(log, step, epochs, loss=2048.0):
    """Some epochs after `step` updates, as quick as can be."""
    for epoch in list(log.epochs(step))[:epochs]:
        with log.training():
            pass
        train_sums = {"loss": loss * (epoch + 1), "correct": 512.0}
        log.end_epoch(epoch, train_sums, TEST)
        recording.save(log.checkpoint, epoch + 1, RECIPE)


def seen(out, tag="train_loss"):
    """{step: value} of one curve, as TensorBoard shows it."""
    reader = EventAccumulator(str(out / "tensorboard"))
    reader.Reload()
    found = {event.step: event.value for event in reader.Scalars(tag)}
    assert len(found) == len(reader.Scalars(tag))  # no step is drawn twice
    return found


def test_every_epoch_of_a_run_that_is_quick_is_there_once(tmp_path):
    out = tmp_path / "run"
    with record(out) as log:
        train(log, 0, 6)
    assert len(list((out / "tensorboard").iterdir())) == 1
    rows = read_run(out).rows
    for tag in set(Epoch.__struct_fields__) - NOT_DRAWN:
        found = seen(out, tag)
        assert list(found) == [row.step for row in rows]
        for row in rows:
            # Event files hold float32.
            wanted = pytest.approx(getattr(row, tag), rel=1e-6, abs=1e-12)
            assert found[row.step] == wanted


def test_no_event_file_is_written_over(tmp_path):
    """A person may have deleted the first of them."""
    (tmp_path / "events.out.tfevents.00002").write_bytes(b"kept")
    Events(tmp_path, 0).close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"events.out.tfevents.0000{n}" for n in (2, 3)]
    assert (tmp_path / names[0]).read_bytes() == b"kept"


def test_a_resumed_run_keeps_all_epochs_and_forgets_what_was_undone(tmp_path):
    out, steps = tmp_path / "run", RECIPE.steps_per_epoch
    with pytest.raises(KeyboardInterrupt), record(out) as log:
        train(log, 0, 4)
        raise KeyboardInterrupt
    # As if stopped before the fourth epoch's checkpoint: it is trained again.
    with pytest.raises(KeyboardInterrupt), record(out, resume=True) as log:
        train(log, 3 * steps, 1, loss=4096.0)
        raise KeyboardInterrupt
    with record(out, resume=True) as log:
        train(log, 4 * steps, 2, loss=4096.0)
    assert len(list((out / "tensorboard").iterdir())) == 3
    found = seen(out)
    assert list(found) == [steps * epoch for epoch in range(1, 7)]
    assert list(found.values()) == pytest.approx(
        [row.train_loss for row in read_run(out).rows]
    )
    assert [round(value) for value in found.values()] == [1, 2, 3, 8, 10, 12]


def test_an_epoch_is_on_the_disk_when_it_has_ended(tmp_path):
    events = Events(tmp_path / "tensorboard", 4)
    events.add(4, {"train_loss": 1.0})
    assert seen(tmp_path) == {4: 1.0}  # while the file is open
    events.close()
    # A process that is killed may leave half of an event.
    [file] = (tmp_path / "tensorboard").iterdir()
    file.write_bytes(file.read_bytes() + b"\x18\x00\x00")
    events = Events(tmp_path / "tensorboard", 8)
    events.add(8, {"train_loss": 2.0})
    events.close()
    assert seen(tmp_path) == {4: 1.0, 8: 2.0}


def test_a_folder_that_cannot_be_made_is_a_disk_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match="cannot write"):
        Events(tmp_path / "file" / "tensorboard", 1)
