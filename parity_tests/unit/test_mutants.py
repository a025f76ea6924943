"""The mutants themselves: that each is one change, and none is stale."""

import ast
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from common.environments import FRAMEWORKS
from parity_tests.mutants import (
    climb,
    generate,
    judged,
    named,
    session,
    suite,
)
from parity_tests.mutants.__main__ import reach_of
from parity_tests.mutants.climb import NAMES, order, rung_of
from parity_tests.mutants.judged import VERDICTS, Judgment, judge
from parity_tests.mutants.killers import NoVerdict, TimeLimit, killer
from parity_tests.mutants.report import (
    by_file,
    conclude,
    file_table,
    living,
    matrix,
    named_rows,
    share_killed,
)
from parity_tests.mutants.session import Outcome
from parity_tests.mutants.source import (
    ROOT,
    Mutant,
    StaleMutant,
    copied,
    replaced,
    subjects,
)
from parity_tests.mutants.worker import attend
from parity_tests.trace import RUNGS

FILE = "frameworks/pytorch/step.py"


def changes(source: str) -> set[str]:
    """The kinds and changes of all mutants of a piece of code."""
    found = generate.possible("x.py", source.encode())
    return {f"{m.what}: {m.change}" for m in found}


@pytest.mark.parametrize("mutant", named.read(), ids=lambda m: m.key)
def test_a_named_mutant_is_a_change_that_python_can_read(mutant):
    changed = mutant.applied()
    assert changed != (ROOT / mutant.file).read_bytes()
    ast.parse(changed)


def test_a_named_mutant_names_nothing_that_is_not_there(tmp_path):
    """Else it crashes in its patch, and its mistake is never made."""
    for place, mutant in enumerate(named.read()):
        (tmp_path / f"m{place}.py").write_bytes(mutant.applied())
    words = ["check", "--isolated", "--select=F821,F823", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_a_patch_that_is_broken_has_no_verdict(tmp_path, monkeypatch):
    """A generated mutant may crash: that is what its change does."""

    def broken(self, framework, base, alone):
        raise NameError("name 'x' is not defined")

    monkeypatch.setattr(climb.Climber, "__init__", broken)
    job = {"framework": "pytorch", "alone": False, "named": True}
    base = climb.Baseline({}, {}, {"names": {}, "single": {}, "whole": {}})
    with pytest.raises(NoVerdict, match="the patch is broken"):
        climb.climb(job, base)
    found = climb.climb(job | {"named": False}, base)
    assert found["killed"].startswith("import: crash: NameError")


def test_a_contract_test_that_fails_without_a_mutant_kills_none(
    tmp_path, monkeypatch
):
    bench = session.Bench(tmp_path, tmp_path)
    monkeypatch.setattr(bench.suite, "run", lambda tree, test: test)
    with pytest.raises(NoVerdict, match="py::b fails without a mutant"):
        bench.passes_without("a.py::b")
    bench.passes_without("")


def test_an_accepted_survivor_has_survived():
    one = named.read()[0]
    said = Judgment("accepted", "for a reason", one.file, name=one.name)
    rows = named_rows([one], Known((one, "")), [said])
    assert living(rows) == rows


def test_every_framework_has_its_named_mutants():
    found = [m.framework for m in named.read()]
    for framework in FRAMEWORKS:
        assert found.count(framework) > 60
    keys = [m.key for m in named.read()]
    assert len(keys) == len(set(keys))


def test_a_text_that_is_not_there_exactly_once_is_told():
    with pytest.raises(StaleMutant, match="0 times"):
        replaced(FILE, "no such text", "", "x")
    with pytest.raises(StaleMutant, match="times"):
        replaced(FILE, "state", "", "x")


@pytest.mark.parametrize("file", subjects())
def test_a_possible_mutant_is_another_program_with_a_key_of_its_own(file):
    whole = (ROOT / file).read_bytes()
    before = ast.dump(ast.parse(whole))
    mutants = generate.possible(file)
    assert len(mutants) >= 10
    assert len({m.key for m in mutants}) == len(mutants)
    for mutant in mutants[::9]:  # all would take 10 s
        assert ast.dump(ast.parse(mutant.applied())) != before, mutant.key


@pytest.mark.parametrize(
    ("source", "change"),
    [
        ("x = 3", "constant: `3` -> `4`"),
        ("x = 3", "constant: `3` -> `2`"),
        ("x = 0.5", "constant: `0.5` -> `0.505`"),
        ("x = True", "constant: `True` -> `False`"),
        ("x = 'REFLECT'", "constant: `'REFLECT'` -> `\"REFLECTx\"`"),
        ("x = a + b", "operator: `a + b` -> `a - b`"),
        ("x = a < b", "operator: `a < b` -> `a <= b`"),
        ("x = a and b", "operator: `a and b` -> `((a) or (b))`"),
        ("x = -a", "operator: `-a` -> `a`"),
        ("x += a", "operator: `x += a` -> `x -= a`"),
        ("if a:\n    f()", "condition: `a` -> `(not (a))`"),
        ("x = [a for a in b if a]", "condition: `a` -> `(not (a))`"),
        ("f(a, b)", "argument: `a, b` -> `b, a`"),
        ("f(a, k=b)", "argument: `k=b` -> `left out`"),
        ("x = y.amax(1)", "name: `y.amax` -> `y.amin`"),
        ("f()", "statement: `f()` -> `pass`"),
        ("@wrap\ndef f(): pass", "decorator: `@wrap` -> `left out`"),
    ],
)
def test_what_is_changed(source, change):
    assert change in changes(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""A text."""',
        "import a",
        "def f(x: 3 = None) -> 4: pass",
        "class A:\n    x: 3",
        "@property\ndef f(self): pass",
    ],
)
def test_what_is_not_changed(source):
    assert changes(source) == set()


def test_texts_for_people_are_not_changed():
    found = changes('def f():\n    raise E("short", f"{1}")\n')
    assert not any(change.startswith("constant") for change in found)
    assert not any(c.startswith("constant") for c in changes("say('x')"))
    assert not any(c.startswith("constant") for c in changes("x = 'a b'"))


def test_a_sample_is_the_same_for_the_same_seed():
    one, two = (generate.sample(FILE, 0.2, seed) for seed in (0, 1))
    assert one == generate.sample(FILE, 0.2, 0)
    assert one != two
    few = generate.sample(FILE, 0.1, 0)
    assert set(few) < set(one)
    assert len(one) == -(-len(generate.possible(FILE)) * 2 // 10)
    assert len(generate.sample(FILE, 1.0, 0)) == len(generate.possible(FILE))


def test_a_copy_has_the_change_and_nothing_else():
    mutant = generate.possible(FILE)[0]
    with copied(mutant) as tree:
        assert (tree / FILE).read_bytes() == mutant.applied()
        other = "common/recipe.py"
        assert (tree / other).read_bytes() == (ROOT / other).read_bytes()
    assert not tree.exists()


def test_every_rung_is_climbed_whatever_the_file():
    rungs = {*RUNGS, "rung7_exchange"}
    for file in subjects():
        assert set(order(file)) == rungs == set(NAMES)
        assert len(order(file)) == len(rungs)
    assert rung_of("4/float64/plain/eval/prep") == "rung4_forward"
    assert rung_of("7/float64/exchange/pytorch/end") == "rung7_exchange"


def test_every_judgement_is_of_a_line_that_is_there():
    every = [m for file in subjects() for m in generate.possible(file)]
    every += named.read()
    for row in judged.read():
        assert row.verdict in VERDICTS
        assert len(row.reason) > 20
        assert any(row.fits(mutant) for mutant in every), row


class Known:
    """A log that knows these outcomes."""

    def __init__(self, *killed: tuple[Mutant, str]):
        self.known = {
            mutant.key: Outcome(mutant.key, mutant.framework, by, None, 1.0)
            for mutant, by in killed
        }


def test_the_share_counts_all_that_could_be_killed():
    mutants = generate.possible(FILE)[:4]
    by = ("rung 4: x | y", "rung4_forward: crash: z", "", "")
    log = Known(*zip(mutants, by, strict=True))
    said = Judgment(
        *("equivalent", "nothing differs here", FILE),
        *(mutants[2].text, mutants[2].change),
    )
    assert judge(mutants[2], [said]) is said
    rows = by_file(mutants, log, [said])
    assert rows[0]["killed_by"] == {"rung 4": 2}
    assert rows[0]["tried"] == 4
    assert share_killed(rows) == 2 / 3
    assert share_killed([]) == 0
    judgments = [s["judged"] for s in rows[0]["survivors"]]
    assert judgments == ["equivalent: nothing differs here", ""]


def test_a_named_mutant_that_lives_without_a_reason_is_told():
    one, two, three = named.read()[:3]
    log = Known((one, "rung 4: x"), (two, ""), (three, ""))
    said = Judgment("equivalent", "nothing", three.file, name=three.name)
    rows = named_rows([one, two, three], log, [said])
    assert [row["mutant"] for row in living(rows)] == [two.name]


def test_killers_are_rungs_or_kinds_of_tests():
    assert killer("rung 7: 20 steps | x") == "rung 7"
    assert killer("rung7_wide: crash: TypeError: x") == "rung 7"
    assert killer("unit tests: parity_tests/x.py::y") == "unit tests"
    assert killer("") == ""


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("os._exit(0)", ""),
        ("os._exit(3)", "crash"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crash"),
        ("os.kill(os.getpid(), signal.SIGTERM)", NoVerdict),
        ("os.kill(os.getpid(), signal.SIGKILL)", NoVerdict),  # out of memory
        ("time.sleep(60)", TimeLimit),
    ],
)
def test_what_something_else_has_ended_is_not_killed(end, told):
    code = f"import os, signal, time; {end}"
    child = os.posix_spawn(
        sys.executable, [sys.executable, "-c", code], os.environ, setpgroup=0
    )
    if isinstance(told, str):
        assert attend(child, 30).startswith(told)
    else:
        with pytest.raises(told):
            attend(child, 1 if told is TimeLimit else 30)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 0", ""),
        ("echo 'FAILED a.py::b'; exit 1", "a.py::b"),
        ("echo 'FAILED a.py::b[c d] - E: f - g'; exit 1", "a.py::b[c d]"),
        ("echo 'ERROR a.py'; exit 2", "a.py"),
        ("echo 'ERROR    root:a.py:1 b'; exit 4", NoVerdict),  # of a log
        ("exit 2", NoVerdict),  # Ctrl-C
        ("exit 4", NoVerdict),  # it never began
        (
            "echo \"ImportError while loading conftest '$PWD/conftest.py'.\";"
            "exit 4",
            "conftest.py",
        ),
        ("echo 'FAILED a.py::b'; kill -TERM $$", NoVerdict),
        ("sleep 60", TimeLimit),
    ],
)
def test_a_pytest_that_was_stopped_has_killed_nothing(
    script, told, tmp_path, monkeypatch
):
    monkeypatch.setattr(suite, "LIMIT", 1)
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    tests = suite.Suite(str(python), tmp_path, tmp_path)
    if isinstance(told, str):
        assert tests.run(tmp_path) == told
    else:
        with pytest.raises(told):
            tests.run(tmp_path)


def test_only_what_is_of_several_processes_meets_their_tests(monkeypatch):
    monkeypatch.setattr(suite.Suite, "run", lambda self, tree, *words: words)
    tests = suite.Suite("python", ROOT, ROOT)
    processes = {f"parity_tests/programs/{name}" for name in suite.PROCESSES}
    assert all((ROOT / path).exists() for path in processes)
    seen = set()
    for file in subjects():
        chosen = tests.contract(ROOT, "pytorch", file)
        assert chosen[0].endswith(suite.FIRST)
        assert chosen[-2:] == ("-k", "pytorch")
        if processes <= set(chosen):
            seen.add(file)
        else:
            assert not processes & set(chosen)
    assert len(seen) == 3 + 3  # of each framework, and of common/


def test_a_mutant_without_a_verdict_is_no_success(tmp_path, monkeypatch):
    """It is not logged, so that it is tried again; too long is survived."""
    one, two, three = named.read()[:3]
    ends = {one: NoVerdict("stopped"), two: TimeLimit("long")}

    class Tried(session.Bench):
        def tried(self, mutant, reach):
            if mutant in ends:
                raise ends[mutant]
            return "rung 4: x", 4

    monkeypatch.setattr(session, "Bench", Tried)
    reach = dict.fromkeys((m.key for m in (one, two, three)), session.ALL)
    log = session.Log(tmp_path / "log", again=False, reach=reach)
    session.try_all([one, two, three], log, tmp_path, tmp_path, 2, reach)
    found = {key: row.killed_by for key, row in log.known.items()}
    assert found == {two.key: "", three.key: "rung 4: x"}
    flags = SimpleNamespace(generated=False, json=None, only="", file="*")
    assert conclude([three], log, [], flags) == 0
    assert conclude([one, three], log, [], flags) == 1


def test_a_judged_survivor_meets_what_is_about_its_file(tmp_path, monkeypatch):
    """But for --again, which sees whether the verdict still holds."""
    mutants = generate.sample("common/schedule.py", 1.0, 0)[:2]
    (said, unsaid), met = mutants, []
    known = [Judgment("accepted", "x", said.file, said.text, said.change)]

    class Tried(session.Bench):
        def tried(self, mutant, reach):
            met.append((mutant.key, reach))
            return "", None

    monkeypatch.setattr(session, "Bench", Tried)

    def run(**flags):
        flags = {"shallow": False, "again": False} | flags
        given = SimpleNamespace(**flags)
        reach = reach_of(mutants, known, given)
        log = session.Log(tmp_path / "log", given.again, reach)
        met.clear()
        session.try_all(mutants, log, tmp_path, tmp_path, 1, reach)
        return dict(met)

    some = {said.key: session.OWN, unsaid.key: session.QUICK}
    assert run(shallow=True) == some
    assert run() == {unsaid.key: session.ALL}
    assert run() == {}
    assert run(again=True) == dict.fromkeys(some, session.ALL)


def test_a_judged_mutant_meets_its_own_rungs_and_unit_tests(monkeypatch):
    """But neither the other rungs nor the other unit tests."""
    bench, asked = session.Bench(ROOT, ROOT), []

    class Everything:
        def climb(self, tree, rungs, alone, named):
            asked.append(rungs)
            return {"killed": "", "rung": None}

        def unit(self, tree, file, others):
            asked.append(others)
            return ""

        def mirror(self, tree):
            return ""

    monkeypatch.setattr(bench, "worker_of", lambda framework: Everything())
    bench.suite = Everything()
    for file in ("common/schedule.py", "frameworks/pytorch/data.py"):
        mutant = generate.possible(file)[0]
        assert bench.outcome(mutant, session.OWN).killed_by == ""
    assert asked == [False, ["rung4_forward"], ["rung2_data"]]


def test_the_tables_have_a_row_for_each_mutant_and_each_file():
    found = {"killed_by": "rung 4: x | y", "equivalent": ""}
    lives = {"killed_by": "", "equivalent": ""}
    rows = [
        {"mutant": "a", "framework": "pytorch", **found},
        {"mutant": "a", "framework": "jax_flax", **lives},
        {"mutant": "b", "framework": "common", **lives, "equivalent": "why"},
    ]
    assert matrix(rows) == [
        ["named mutant", "tensorflow_eager", "pytorch", "jax_flax", "common"],
        ["a", "", "rung 4", "SURVIVED", ""],
        ["b", "", "", "", "equivalent"],
    ]
    row = {"file": "a.py", "possible": 9, "tried": 3, "killed": 2}
    row |= {"killed_by": {"rung 4": 2}, "survivors": []}
    assert file_table([row])[1] == ["a.py", "9", "3", "2", "0", "rung 4 2"]
