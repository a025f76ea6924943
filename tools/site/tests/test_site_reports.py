"""The site's readers of mutants.json and bench.json."""

import copy
import json

import pytest

from common.recipe import Recipe
from tools.bench.count import gflop_per_image
from tools.site import bench, ladder, mutants, speeds
from tools.site.contract import FRAMEWORKS, ROOT
from tools.site.tests import fake_reports


def read(tmp_path, module, data):
    path = fake_reports.write(tmp_path / "report.json", data)
    reader = {mutants: mutants.read_mutants, bench: bench.read_bench}
    return reader[module](path)


@pytest.mark.parametrize("module", [mutants, bench])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not readable"),
        ("{", "not readable"),
        ("[]", "Expected `object`, got `array`"),
        ('{"format": "other-2"}', "format 'other-2', expected"),
    ],
)
def test_a_damaged_report_says_what_is_wrong(tmp_path, module, text, words):
    path = tmp_path / "report.json"
    path.write_text(text)
    reader = {mutants: mutants.read_mutants, bench: bench.read_bench}
    assert words in reader[module](path).problem


@pytest.mark.parametrize("module", [mutants, bench])
def test_an_empty_report_says_what_is_missing(tmp_path, module):
    found = read(tmp_path, module, {"format": module.FORMAT})
    assert found.problem == ""
    missing = {mutants: "named generated", bench: "limits rows scale parts"}
    named = [line.partition(":")[0] for line in found.problems]
    assert named == missing[module].split()


def test_a_whole_report_has_no_problems(tmp_path):
    assert read(tmp_path, mutants, fake_reports.mutants()).problems == []
    assert read(tmp_path, bench, fake_reports.bench()).problems == []


def test_cells_are_counted_by_verdict_and_rung(tmp_path):
    found = read(tmp_path, mutants, fake_reports.mutants())
    assert found.counts == {"killed": 24, "survived": 1, "equivalent": 1}
    places = [*(f"rung {n}" for n in range(7)), "unit tests"]
    assert list(found.by_rung) == places
    assert found.by_rung["rung 4"] == 4
    assert found.by_rung["unit tests"] == 1
    assert list(found.places) == [*FRAMEWORKS, "common"]


def test_the_share_is_of_those_that_could_be_killed(tmp_path):
    found = read(tmp_path, mutants, fake_reports.mutants())
    file = found.files[0]
    assert (file.tried, file.equivalent, file.unjudged) == (25, 1, 1)
    assert file.share == pytest.approx(100 * 23 / 24)
    assert found.share == pytest.approx(100 * 23 / 24)


def test_of_no_mutants_there_is_no_share(tmp_path):
    data = fake_reports.mutants()
    nothing = {"tried": 0, "killed": 0, "killed_by": {}, "survivors": []}
    data["generated"]["by_file"] = [data["generated"]["by_file"][0] | nothing]
    found = read(tmp_path, mutants, data)
    assert found.problems == []
    assert found.share is None and found.files[0].share is None


def test_numbers_that_do_not_fit_each_other_are_told(tmp_path):
    data = fake_reports.mutants()
    first, second = data["generated"]["by_file"][:2]
    first["survivors"] = []
    second["killed_by"] = {"rung 4": 1}
    problems = read(tmp_path, mutants, data).problems
    assert "25 tried, but 23 killed and 0 survivors listed" in problems[0]
    assert "23 killed, but 1 of them by something" in problems[1]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("words", "Expected `object`, got `str`"),
        ({"mutant": "a"}, "Object missing required field `framework`"),
        (
            {"mutant": "a", "framework": "caffe", "rung": 1, "killed_by": ""},
            "Invalid enum value 'caffe'",
        ),
        (fake_reports.named()[0], "labels-shifted comes twice"),
    ],
)
def test_a_damaged_row_of_the_matrix_is_told(tmp_path, row, words):
    data = fake_reports.mutants()
    data["named"].append(row)
    found = read(tmp_path, mutants, data)
    place = len(data["named"])
    assert found.problems == [f"named, row {place}: {words}"] or (
        words in found.problems[0]
    )
    assert len(found.matrix) == len({r["mutant"] for r in fake_reports.named()})


def test_a_damaged_file_row_is_told(tmp_path):
    data = fake_reports.mutants()
    del data["generated"]["by_file"][0]["survivors"]
    found = read(tmp_path, mutants, data)
    assert found.problems == [
        "by_file, row 1: Object missing required field `survivors`"
    ]
    assert len(found.files) == 5


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"images_per_second": []}, "length >= 1 - at `$.images_per_second`"),
        ({"images_per_second": ["fast"]}, "Expected `float`, got `str`"),
        ({"images_per_second": [0.0]}, "Expected `float` > 0.0"),
        ({"framework": "caffe"}, "Invalid enum value 'caffe'"),
        ({"compile_seconds": 3.0}, "Expected `array`, got `float`"),
    ],
)
def test_a_damaged_row_of_the_benchmark_is_told(tmp_path, changed, words):
    data = fake_reports.bench()
    data["rows"][3] |= changed
    found = read(tmp_path, bench, data)
    assert len(found.problems) == 1
    assert found.problems[0].startswith("rows, row 4: ")
    assert words in found.problems[0]
    assert len(found.rows) == len(data["rows"]) - 1


def test_a_row_that_lacks_something_is_told(tmp_path):
    data = fake_reports.bench()
    del data["scale"][0]["threads"], data["scale"][0]["mode"]
    found = read(tmp_path, bench, data)
    assert found.problems == [
        "scale, row 1: Object missing required field `mode`"
    ]


def test_the_ratio_is_to_the_best_convolution_of_the_precision(tmp_path):
    found = read(tmp_path, bench, fake_reports.bench())
    assert found.limit("float32") == 400.0  # not the product's 421
    assert found.limit("bfloat16") == 799.0
    assert found.limit("float64") is None
    row = next(r for r in found.rows if r["width"] == 64)
    speed = sum(row["images_per_second"]) / 2
    wanted = speed * gflop_per_image(Recipe(width=64)) / 400.0
    assert found.ratio(row) == pytest.approx(wanted)


def test_without_limits_there_is_no_ratio(tmp_path):
    data = fake_reports.bench() | {"limits": []}
    found = read(tmp_path, bench, data)
    assert found.problems == ["limits: holds no rows, not measured"]
    scene = speeds.scenes(found)[0]
    assert scene["limit"] is None
    assert {bar["ratio"] for bar in scene["step"]} == {None}
    json.dumps(scene, allow_nan=False)


def test_steps_are_paired_with_epochs_and_with_keras(tmp_path):
    found = read(tmp_path, bench, fake_reports.bench())
    scene = speeds.scenes(found)[0]
    assert scene["key"] == "width-16-float32"
    assert len(scene["pairs"]) == 6
    # An epoch is a tenth slower: its image takes 1/0.9 of the time.
    assert {pair["cost"] for pair in scene["pairs"]} == {11.1}
    assert [peer["label"] for peer in scene["keras"]] == [
        *("TensorFlow", "PyTorch", "JAX")
    ]
    # By hand: 0.9 * 500 over 300.
    assert scene["keras"][0]["factor"] == 1.5
    assert all(not s["keras"] for s in speeds.scenes(found)[1:])


def test_a_part_is_a_share_of_the_whole_step(tmp_path):
    data = fake_reports.bench()
    found = speeds.parts(read(tmp_path, bench, data))
    assert len(found) == 4
    conv = found[0]["lines"]["conv 64 -> 128, 32x32", "forward", 2]
    # By hand: twice 100 ms of 800 ms, whatever the framework's pace.
    assert {cell["share"] for cell in conv.values()} == {25.0}
    data["parts"] = [p for p in data["parts"] if p["part"] != bench.WHOLE]
    found = speeds.parts(read(tmp_path, bench, data))
    conv = found[0]["lines"]["conv 64 -> 128, 32x32", "forward", 2]
    assert {cell["share"] for cell in conv.values()} == {None}


def test_lines_of_cost_vary_one_thing(tmp_path):
    found = speeds.scale(read(tmp_path, bench, fake_reports.bench()))
    assert [line["x"] for line in found["width"]] == [[8, 16, 32, 64, 128]] * 3
    assert [line["x"] for line in found["threads"]] == [[1, 2]] * 3
    first = found["batch_size"][0]
    assert first["x"] == [128, 256, 512, 1024]
    assert first["fixed"] == "width 16, 2 threads, float32"
    assert found["width"][0]["low"][0] == pytest.approx(1000 / 1050)
    assert found["width"][0]["high"][0] == pytest.approx(1.0)


def test_a_mutant_belongs_to_the_longest_slug_it_begins_with():
    slugs = ["bn", "bn-eps", "bn-half"]
    assert mutants.slug_of("bn-eps-1e3", slugs) == "bn-eps"
    assert mutants.slug_of("bn-eps", slugs) == "bn-eps"
    assert mutants.slug_of("bn-epsilon", slugs) == "bn"
    assert mutants.slug_of("pool", slugs) is None


# --- Reports of any content ---------------------------------------------


def places(content, path=()):
    """The path of every value of a report; of lists, of the first two."""
    yield path
    inner = {}
    if isinstance(content, dict):
        inner = content
    elif isinstance(content, list):
        inner = dict(enumerate(content[:2]))
    for key, value in inner.items():
        yield from places(value, (*path, key))


def replaced(content, path, value):
    """The same report with another value at one place."""
    if not path:
        return value
    whole = copy.deepcopy(content)
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return whole


def all_of_the_benchmark(path):
    found = bench.read_bench(path)
    for use in (speeds.scenes, speeds.scale, speeds.parts, speeds.table):
        use(found)


def short(report):
    """A report with the first rows of each of its lists."""
    return {
        name: value[:2] if isinstance(value, list) else value
        for name, value in report.items()
    }


def the_ladder():
    """The published one."""
    return json.loads((ROOT / "results" / "parity.json").read_text())


@pytest.mark.parametrize(
    ("use", "report"),
    [
        (ladder.read_parity, short(the_ladder())),
        (mutants.read_mutants, short(fake_reports.mutants())),
        (all_of_the_benchmark, short(fake_reports.bench())),
    ],
)
def test_whatever_stands_in_a_report_it_does_not_stop_the_site(
    tmp_path, use, report
):
    for path in places(report):
        for value in (None, -1.5, "x", [], [[]], {}, {"a": 1}):
            bad = replaced(report, path, value)
            use(fake_reports.write(tmp_path / "report.json", bad))
