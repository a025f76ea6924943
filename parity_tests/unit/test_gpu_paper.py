"""What is read from a program of XLA, and what the judge refuses."""

import json

import pytest

from parity_tests.gpu import __main__ as judge
from parity_tests.gpu import hlo
from parity_tests.gpu.sizes import at_batch

TEXT = """\
HloModule jit_epoch, is_scheduled=true

%body (arg: (s32[], u8[50000,40,40,3])) -> (s32[], u8[50000,40,40,3]) {
  %arg = (s32[], u8[50000,40,40,3]{3,2,1,0}) parameter(0)
  %data = u8[50000,40,40,3]{3,2,1,0} get-tuple-element(%arg), index=1
  %taken = bf16[8,4,4,3]{3,2,1,0} fusion(%data), kind=kLoop, calls=%f
  %weight = bf16[5,3,3,3]{3,2,1,0} constant({...})
  %cudnn-conv.1 = (bf16[8,4,4,5]{3,2,1,0}, u8[0]{0}) custom-call(%taken, \
%weight), dim_labels=b01f_o01i->b01f, custom_call_target="__cudnn$convForward"
  %conv = bf16[8,4,4,5]{3,2,1,0} get-tuple-element(%cudnn-conv.1), index=0
  %input_reduce_fusion = f32[5]{0} fusion(%conv), kind=kInput, calls=%g
  ROOT %out = (s32[], u8[50000,40,40,3]{3,2,1,0}) tuple(%data)
}

ENTRY %main (p: u8[50000,40,40,3]) -> u8[50000,40,40,3] {
  %p = u8[50000,40,40,3]{3,2,1,0} parameter(0)
  %loop = (s32[], u8[50000,40,40,3]{3,2,1,0}) while(%p), condition=%c, \
body=%body, backend_config={"known_trip_count":{"n":"97"}}
  ROOT %r = u8[50000,40,40,3]{3,2,1,0} get-tuple-element(%loop), index=1
}
"""


def test_a_step_is_the_body_of_the_loop():
    body = hlo.read(TEXT).step()
    assert [i.name for i in body if i.starts_kernel] == [
        *("taken", "cudnn-conv.1", "input_reduce_fusion"),
    ]
    [conv] = [i for i in body if i.target]
    assert conv.target == "__cudnn$convForward"
    assert hlo.types_of(body, conv.operands) == ["bf16", "bf16"]
    assert hlo.is_channels_last(conv)
    assert not hlo.read(TEXT).crossings()


def test_bytes_count_a_data_set_as_what_is_taken_of_it():
    taken, weight, made = 2 * 8 * 4 * 4 * 3, 2 * 5 * 3 * 3 * 3, 2 * 8 * 16 * 5
    wanted = 2 * taken + (taken + weight + made) + (made + 4 * 5)
    assert hlo.moved(hlo.read(TEXT).step(), 50_000) == wanted


@pytest.mark.parametrize(
    ("new", "kind"),
    [
        ("  %s = () outfeed(%p)", "outfeed"),
        ("  %s = (u8[1]{0}) copy-start(%p)", "copy-start"),
        ("  %s = u8[1]{0:S(5)} copy(%p)", "memory of the host"),
    ],
)
def test_what_leaves_the_gpu_is_seen_anywhere(new, kind):
    text = TEXT.replace("  ROOT %r", f"{new}\n  ROOT %r")
    assert hlo.read(text).crossings() == {kind: 1}


def test_a_layout_that_is_not_channels_last_is_seen():
    text = TEXT.replace("(bf16[8,4,4,5]{3,2,1,0}", "(bf16[8,4,4,5]{1,3,2,0}")
    [conv] = [i for i in hlo.read(text).step() if i.target]
    assert not hlo.is_channels_last(conv)


def test_a_full_batch_is_reckoned_from_two_small_ones():
    assert at_batch(lambda n: 100 + 3 * n, 512) == 100 + 3 * 512
    with pytest.raises(ValueError, match="same number"):
        at_batch(lambda n: n * n // 5, 512)


# --- The judge ----------------------------------------------------------

STAGE = {"missing": [], "copies": {}, "kernels": 370}
EPOCH = {
    "kernels": 200,
    "libraries": ["__cudnn$convForward"],
    "convolutions": 23,
    "operands": ["bf16"],
    "channels last": 23,
    "types of sums": ["f32"],
    "collectives": 0,
    "crossings": {},
    "loop": ["97"],
    "argument bytes": 10,
    "result bytes": 1000,
    "donated bytes": 900,
    "temporary bytes": 10**9,
}
EVALUATION = EPOCH | {"convolutions": 8, "channels last": 8, "loop": []}
FOUND = {
    "tensorflow_eager": {"cases": {"eager dropout 0": {"train step": STAGE}}},
    "pytorch": {
        "eager": {"on meta": {"train step": STAGE}},
        "full": {"bfloat16": {"inductor": {"convolutions": 24}}},
        "compiled": {"graphs": 4, "graphs after the warm-up": 0, "breaks": {}},
    },
    "jax_flax": {"bfloat16": {"epoch": EPOCH, "evaluation": EVALUATION}},
}
COPY = {"a tensor is read by Python": 1}
BAD = [
    ("tensorflow_eager cases", "eager dropout 0", "missing", ["Pad"], "Pad"),
    ("tensorflow_eager cases", "eager dropout 0", "copies", COPY, "copies"),
    ("pytorch eager", "on meta", "copies", COPY, "copies"),
    ("pytorch", "compiled", "graphs", 5, "graphs: expected"),
    ("pytorch full bfloat16", "inductor", "convolutions", 23, "23 convolu"),
    ("jax_flax", "bfloat16", "convolutions", 22, "convolutions: expected 23"),
    ("jax_flax", "bfloat16", "operands", ["f32"], "operands"),
    ("jax_flax", "bfloat16", "crossings", {"infeed": 1}, "crossings"),
    ("jax_flax", "bfloat16", "loop", [], "loop"),
    ("jax_flax", "bfloat16", "types of sums", ["bf16", "f32"], "sums"),
    ("jax_flax", "bfloat16", "libraries", ["__cublas$gemm"], "__cublas$gemm"),
    ("jax_flax", "bfloat16", "donated bytes", -100, "not donated"),
    ("jax_flax", "bfloat16", "temporary bytes", 10**11, "memory"),
]


def judged(tmp_path, found: dict, published: dict | None = None):
    """The judge's exit code and what it says is wrong."""
    for framework, facts in found.items():
        (tmp_path / f"{framework}.json").write_text(json.dumps(facts))
    flags = [str(tmp_path)]
    if published:
        file = tmp_path / "published.json"
        file.write_text(json.dumps({"frameworks": published}))
        flags += ["--published", str(file)]
    code = judge.main(flags)
    return code, json.loads((tmp_path / "gpu.json").read_text())["wrong"]


def test_all_claims_hold(tmp_path):
    assert judged(tmp_path, FOUND, FOUND) == (0, [])


@pytest.mark.parametrize(("place", "case", "name", "value", "words"), BAD)
def test_each_claim_can_fail(tmp_path, place, case, name, value, words):
    found = json.loads(json.dumps(FOUND))
    part = found
    for key in (*place.split(), case):
        part = part[key]
    part = part.get("train step", part.get("epoch", part))
    part[name] = value
    code, [line] = judged(tmp_path, found)
    assert code == 1
    assert words in line


def test_a_part_that_was_left_out_is_no_proof(tmp_path):
    found = json.loads(json.dumps(FOUND))
    del found["pytorch"]["full"]["bfloat16"]["inductor"]
    assert judged(tmp_path, found) == (0, [])  # the quick tests of parity
    code, [line] = judged(tmp_path, found, FOUND)
    assert (code, "expected --full, with Triton" in line) == (1, True)


def test_more_kernels_than_published_are_refused(tmp_path):
    found = json.loads(json.dumps(FOUND))
    found["jax_flax"]["bfloat16"]["epoch"]["kernels"] = 211
    code, [line] = judged(tmp_path, found, FOUND)
    assert code == 1
    assert "epoch, kernels: 211, and 200 in the published figures" in line


@pytest.mark.parametrize(("count", "wrong"), [(40, 0), (0, 1), (60, 1)])
def test_several_gpus_have_a_few_sums_between_them(tmp_path, count, wrong):
    found = json.loads(json.dumps(FOUND))
    programs = json.loads(json.dumps(found["jax_flax"]["bfloat16"]))
    programs["epoch"]["collectives"] = count
    programs["evaluation"]["collectives"] = 2
    found["jax_flax"]["bfloat16 on 8 GPUs"] = programs
    code, lines = judged(tmp_path, found)
    assert (code, len(lines)) == (wrong, wrong)
