"""What every one of the three programs does, seen from outside."""

import json
import re
import subprocess

import numpy as np
import pytest
import safetensors.numpy

from common.recipe import PRESETS
from parity_tests.programs.conftest import ROOT, SIGINT, SIGTERM, errors

# Small enough for seconds, long enough to be stopped in the middle; dropout
# and cutout are on. A batch of 100 leaves a short one of 12, and 24 in
# evaluation.
TINY = (
    *("--preset", "smoke", "--dataset", "synthetic", "--epochs", 4),
    *("--train-images", 512, "--test-images", 224, "--batch-size", 100),
    *("--peak-lr", 0.1),
)

LIBRARIES = {
    "tensorflow_eager": {"tensorflow", "keras", "numpy"},
    "pytorch": {"torch", "numpy"},
    "jax_flax": {"jax", "flax", "optax", "numpy"},
}


def arrays(folder):
    return safetensors.numpy.load_file(folder / "checkpoint.safetensors")


def rows(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def about(folder):
    return json.loads((folder / "run.json").read_text())


def test_a_run_into_a_pipe_prints_plain_lines_and_its_record(program, tmp_path):
    out = tmp_path / "run"
    result = program.run(*TINY, "--device", "cpu", "--out", out)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    shown = [line for line in lines if re.match(r" *[1-4]/4 ", line)]
    assert len(shown) == 4
    assert "\x1b" not in result.stdout
    record = lines.index(f"record: {out}")
    assert lines[record + 2].startswith("smoke, ")  # the comparison
    assert {path.name for path in out.iterdir()} == {
        "run.json",
        "metrics.jsonl",
        "dawnbench.tsv",
        "checkpoint.safetensors",
        "run.lock",
    }
    assert about(out)["status"] == "done"
    assert about(out)["framework"] == program.framework
    default = "compiled" if program.framework == "jax_flax" else "eager"
    assert about(out)["mode"] == default
    machine = about(out)["machine"]
    assert machine["device"] == "cpu"
    assert machine["tf32"] is False
    assert 1 <= machine["threads"] <= machine["cores"]
    named = {n.removesuffix("-cpu") for n in about(out)["versions"]}
    assert named == LIBRARIES[program.framework]
    assert [row["step"] for row in rows(out)] == [6, 12, 18, 24]
    # It learns: chance is 2.303.
    assert rows(out)[-1]["train_loss"] < rows(out)[0]["train_loss"] < 2.6


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    program, tmp_path
):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        result = program.run(
            *TINY, "--epochs", 1, "--seed", seed, "--out", tmp_path / name
        )
        assert result.returncode == 0, result.stderr
    a, b, c = (arrays(tmp_path / name) for name in "abc")
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not np.array_equal(a["prep.conv.kernel"], c["prep.conv.kernel"])


def test_ctrl_c_ends_cleanly_and_resume_gives_the_same_bits(program, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert program.run(*TINY, "--out", whole).returncode == 0
    code, output = program.run_until(
        (parts / "checkpoint.safetensors").exists,
        SIGINT,
        *(*TINY, "--out", parts),
    )
    assert code == 130, output
    assert about(parts)["status"] == "interrupted"
    assert "--resume" in output
    assert 1 <= len(rows(parts)) < 4
    result = program.run(*TINY, "--out", parts, "--resume")
    assert result.returncode == 0, result.stderr
    assert about(parts)["status"] == "done"
    # Dropout masks and data order come from seed, epoch and step alone, so
    # the interrupted training is the uninterrupted one.
    one, two = arrays(whole), arrays(parts)
    assert all(np.array_equal(one[name], two[name]) for name in one)
    losses = [[row["train_loss"] for row in rows(f)] for f in (whole, parts)]
    assert losses[0] == losses[1]


def test_sigterm_is_143(program, tmp_path):
    out = tmp_path / "run"
    code, output = program.run_until(
        (out / "checkpoint.safetensors").exists,
        SIGTERM,
        *(*TINY, "--epochs", 50, "--out", out),
    )
    assert code == 143, output
    assert about(out)["status"] == "interrupted"


def test_a_loss_that_is_not_finite_is_70(program, tmp_path):
    out = tmp_path / "run"
    result = program.run(*TINY, "--peak-lr", 1e30, "--out", out)
    assert result.returncode == 70, result.stdout + result.stderr
    [line] = errors(result)
    assert "epoch 1" in line
    assert about(out)["status"] == "failed"
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("--preset", "huge"), 2, "--preset huge"),
        (("--epochs", 0), 2, "--epochs 0"),
        (("--batch-size", 50_001), 2, "--batch-size 50001"),
        (("--resume",), 2, "--resume"),
        (("--data-dir", "no/such/place"), 65, "no/such/place"),
        (("--load", "no.safetensors"), 65, "no.safetensors"),
        (("--offline",), 69, "--offline"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else None,
)
def test_bad_input_ends_in_one_line(program, tmp_path, flags, code, words):
    dataset = () if code == 69 else TINY[:4]
    result = program.run(
        *(*dataset, *flags, "--out", tmp_path / "run")
        if "--data-dir" not in flags
        else (*flags, "--out", tmp_path / "run"),
        DAVIDNET_CACHE=str(tmp_path / "cache"),
    )
    assert result.returncode == code, result.stdout + result.stderr
    [line] = errors(result)
    assert words in line
    assert "Traceback" not in result.stderr
    if code == 2:
        assert not (tmp_path / "run").exists()


def test_a_gpu_that_is_not_there_is_78_and_nothing_is_written(
    program, tmp_path
):
    result = program.run(
        *(*TINY, "--device", "gpu", "--out", tmp_path / "run"),
        CUDA_VISIBLE_DEVICES="",
        JAX_PLATFORMS="cpu",
    )
    assert result.returncode == 78, result.stdout + result.stderr
    [line] = errors(result)
    assert "no GPU" in line
    assert not (tmp_path / "run").exists()


def test_a_record_that_cannot_be_written_is_74(program, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    result = program.run(*TINY, "--out", file / "run")
    assert result.returncode == 74, result.stdout + result.stderr
    assert len(errors(result)) == 1


def first_loss(program, out, *flags):
    result = program.run(
        *(*TINY, "--epochs", 1, "--dropout-rate", 0, "--out", out, *flags)
    )
    assert result.returncode == 0, result.stderr
    return rows(out)[0]["train_loss"]


def test_the_other_mode_gives_the_same_training(program, tmp_path):
    losses = {}
    for mode in ("eager", "compiled"):
        out = tmp_path / mode
        flags = ("--mode", mode, "--precision", "float64")
        losses[mode] = first_loss(program, out, *flags)
        assert about(out)["mode"] == mode
    # Compilers sum in another order. In float64 six steps make 1e-13 of it;
    # in float32 they can make anything, on another processor another thing.
    assert losses["eager"] == pytest.approx(losses["compiled"], rel=1e-10)


def test_the_other_precisions_give_about_the_same_training(program, tmp_path):
    """At a rate that hardly moves a weight: rounding, and nothing made of it.

    At a usual rate six steps amplify it by as much as the processor's own
    rounding decides, so that no tolerance could be given.
    """
    losses = {}
    for precision in ("float32", "float64", "bfloat16"):
        flags = ("--precision", precision, "--init", "shared")
        flags += ("--peak-lr", 1e-6)
        losses[precision] = first_loss(program, tmp_path / precision, *flags)
        assert about(tmp_path / precision)["precision"] == precision
    error = {
        name: abs(loss / losses["float64"] - 1) for name, loss in losses.items()
    }
    # A mean of 512 losses. Over processors and frameworks float32 was 4e-8 to
    # 6e-8 away, bfloat16 5e-6 to 5e-5; equal, it would not have been used.
    assert 0 < error["float32"] < 1e-6
    assert error["float32"] < error["bfloat16"] < 1e-3


def test_help_names_every_recipe_field(program):
    result = program.run("--help")
    assert result.returncode == 0
    for field in PRESETS["small"].__dataclass_fields__:
        assert "--" + field.replace("_", "-") in result.stdout


def test_without_a_gpu_the_small_preset_is_taken(program):
    hidden = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    result = program.run("--help", **hidden)
    text = re.sub("[│\\s]+", " ", result.stdout)
    assert "those of --preset small" in text


def test_where_there_is_a_gpu_it_is_taken_with_its_own_defaults(program):
    """As README says; the GPU is a stand-in, nothing is trained."""
    result = subprocess.run(
        [
            *(program.python, "-m", "parity_tests.programs.with_gpu"),
            program.framework,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout.splitlines()[-1])
    text = re.sub("[│\\s]+", " ", said.pop("help"))
    name = "a stand-in for a GPU"
    assert said == {"auto": name, "gpu": name, "cpu": "cpu", "exit code": 0}
    assert "those of --preset dawnbench on a GPU" in text
    modes = {"tensorflow_eager": "eager"}
    mode = modes.get(program.framework, "compiled")
    assert f"own way (default: {mode})" in text
    assert "meant for tests (default: bfloat16)" in text


def test_each_loads_what_the_others_wrote(programs, tmp_path):
    """Nine pairs: the same weights give the same test accuracy.

    In float64, where no logit is so near another that rounding decides.
    """
    flags = (*TINY, "--precision", "float64")
    for name, program in programs.items():
        result = program.run(*flags, "--out", tmp_path / name)
        assert result.returncode == 0, result.stderr
    for writer in programs:
        wanted = rows(tmp_path / writer)[-1]
        for reader, program in programs.items():
            out = tmp_path / f"{writer}-by-{reader}"
            file = tmp_path / writer / "checkpoint.safetensors"
            result = program.run(*flags, "--load", file, "--out", out)
            assert result.returncode == 0, result.stderr
            found = about(out)["evaluation"]
            assert found["correct"] == wanted["test_accuracy"]
            assert found["loss"] == pytest.approx(
                wanted["test_loss"], rel=1e-10
            )


def test_the_shared_start_gives_three_equal_first_epochs(programs, tmp_path):
    losses = {}
    for name, program in programs.items():
        out = tmp_path / name
        result = program.run(
            *(*TINY, "--epochs", 1, "--init", "shared"),
            *("--dropout-rate", 0, "--precision", "float64", "--out", out),
        )
        assert result.returncode == 0, result.stderr
        losses[name] = rows(out)[0]["train_loss"]
    # Other weights or other batches would be seen; in float64 nothing else.
    assert max(losses.values()) / min(losses.values()) < 1 + 1e-10


@pytest.mark.parametrize(("mode", "later"), [("eager", 6), ("compiled", 0)])
def test_the_warm_up_compiles_all_that_an_epoch_needs_and_no_more(
    program, mode, later
):
    result = subprocess.run(
        [
            *(program.python, "-m", "parity_tests.programs.retrace"),
            *(program.framework, mode),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    warm_up, after = map(int, result.stdout.split()[-2:])
    # A full and a partial batch, in training and in evaluation.
    assert warm_up == 4 if mode == "eager" else warm_up >= 4
    assert after == later


def test_the_gpus_loop_of_jax_flax_is_the_same_training(programs, tmp_path):
    """`--mode compiled` on a GPU is one program; here it runs on the CPU."""
    program = programs["jax_flax"]
    steps, scan = tmp_path / "steps", tmp_path / "scan"
    flags = (*TINY, "--epochs", 2, "--precision", "float64")
    result = program.run(*flags, "--out", steps)
    assert result.returncode == 0, result.stderr
    result = subprocess.run(
        [
            *(program.python, "-m", "parity_tests.programs.scanned"),
            *map(str, (*flags, "--out", scan)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert about(scan)["machine"]["device"] == "a CPU, as if a GPU"
    # The warm-up compiled what both epochs need.
    assert result.stdout.split()[-1] == "1"
    # float64 rounds to 1e-16, and twelve steps amplified that to 1e-13 in the
    # velocities. The limit leaves room for sums in another order elsewhere.
    for one, two in zip(rows(steps), rows(scan), strict=True):
        for name in ("lr", "train_loss", "test_loss"):
            assert one[name] == pytest.approx(two[name], rel=1e-10), name
    one, two = arrays(steps), arrays(scan)
    for name in one:
        np.testing.assert_allclose(
            two[name], one[name], rtol=0, atol=1e-10, err_msg=name
        )


def test_pytorchs_tensors_are_made_where_the_images_are(programs):
    result = subprocess.run(
        [programs["pytorch"].python, "-m", "parity_tests.programs.elsewhere"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
