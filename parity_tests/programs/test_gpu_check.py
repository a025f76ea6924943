"""The check of a GPU, from its first stage to its last, on a CPU."""

import json


def test_a_check_goes_through_all_stages(programs, tmp_path):
    """Tiny trainings of one framework; what a GPU would say is left out."""
    out = tmp_path / "check"
    result = programs["pytorch"].run_words(
        *("-m", "tools.gpu_check", "--device", "cpu", "--tiny"),
        *("--frameworks", "pytorch", "--rungs", "rung0", "--minutes", 1),
        *("--out", out),
    )
    stages = json.loads((out / "stages.json").read_text())
    done = [stage["stage"] for stage in stages]
    for name in (
        "found pytorch",
        "trace pytorch cpu",
        "train speed-pytorch-compiled-bfloat16",
        "train smoke-pytorch-0",
    ):
        assert name in done, result.stdout
    text = (out / "summary.md").read_text()
    assert "| pytorch | cpu | torch " in text
    assert "| smoke | pytorch | " in text
    kept = {path.name for path in (out / "runs" / "smoke-pytorch-0").iterdir()}
    assert "checkpoint.safetensors" not in kept
    assert "metrics.jsonl" in kept
