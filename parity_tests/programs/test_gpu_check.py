"""The check of a GPU, from its first stage to its last, on a CPU."""

import json

WORDS = (
    *("-m", "tools.gpu_check", "--device", "cpu", "--tiny", "--rungs", "rung0"),
    *("--seeds", 1, "--minutes", 9, "--frameworks", "tensorflow_eager"),
)


def test_a_check_goes_through_all_stages(programs, tmp_path):
    """Tiny trainings of one framework; what a GPU would say is left out."""
    out = tmp_path / "check"
    program = programs["tensorflow_eager"]
    result = program.run_words(*WORDS, "--out", out)
    stages = json.loads((out / "stages.json").read_text())
    done = [stage["stage"] for stage in stages]
    for name in (
        "found tensorflow_eager",
        "trace tensorflow_eager cpu",
        "train speed-tensorflow_eager-compiled-bfloat16",
        "train smoke-tensorflow_eager-0",
    ):
        assert name in done, result.stdout
    text = (out / "summary.md").read_text()
    assert "| tensorflow_eager | cpu | tensorflow" in text
    assert "| smoke | tensorflow_eager | " in text
    kept = out / "runs" / "smoke-tensorflow_eager-0"
    assert (kept / "metrics.jsonl").exists(), result.stdout
    assert not (kept / "checkpoint.safetensors").exists()
