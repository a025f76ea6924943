"""Break one thing at a time and see whether `nox -s parity` kills it.

    python -m parity_tests.mutants                      the named mutants
    python -m parity_tests.mutants --generated          by mutation operators
    python -m parity_tests.mutants --generated --file 'common/*' --share 0.1
    python -m parity_tests.mutants --trained            what accuracy sees

Exit codes: 0 all noticed, but for judged ones; 1 a named mutant lives, or
more than 5 % of the generated ones do; 2 usage.
"""

import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase

import tyro

from common.environments import FRAMEWORKS, find_python
from common.errors import UsageError
from common.run.machine import git_commit
from common.run.signals import EndBySignals
from common.run.usage import PathFlag
from parity_tests.mutants import (
    baseline,
    generate,
    judged,
    named,
    session,
    trained,
)
from parity_tests.mutants.killers import NoVerdict
from parity_tests.mutants.report import conclude, publish
from parity_tests.mutants.source import ROOT, Mutant, subjects


@dataclass(frozen=True)
class Flags:
    """Which mutants to try, and where."""

    # made by mutation operators, instead of the named ones
    generated: bool = False
    # of the generated ones of each file
    share: float = 0.1
    # patterns of files of which all are tried
    whole: tuple[str, ...] = ()
    # of the sample
    seed: int = 0
    # only files that fit this pattern
    file: str = "*"
    # only named ones whose names contain this
    only: str = ""
    # at the same time
    jobs: int = 2
    # without slow rungs and contract tests: what survives may be killed there
    shallow: bool = False
    # try survivors anew, judged ones on everything: there is a new test
    again: bool = False
    # instead: train a few named ones to the end; what does accuracy see?
    trained: bool = False
    # list them and end
    dry: bool = False
    # where traces and the log of outcomes are kept
    home: PathFlag = ROOT / "traces" / "mutants"
    # folder of the train sessions' environments
    environments: PathFlag = ROOT / ".nox"
    # the published measurement, to be filled in
    json: PathFlag | None = None

    def share_of(self, file: str) -> float:
        """How many of a file's generated mutants are tried."""
        if any(fnmatchcase(file, pattern) for pattern in self.whole):
            return 1.0
        return self.share


def reach_of(
    mutants: list[Mutant], known: list[judged.Judgment], flags: Flags
) -> dict[str, str]:
    """How much each mutant meets, by its key.

    A judged one counts as its verdict says wherever it lives; minutes of
    tests are spent on it only to see whether the verdict still holds.
    """
    usual = session.QUICK if flags.shallow else session.ALL
    return {
        mutant.key: usual
        if flags.again or judged.judge(mutant, known) is None
        else session.OWN
        for mutant in mutants
    }


def unpublishable(flags: Flags) -> str:
    """Why what these flags try is no evidence; "" if it is."""
    if (git_commit() or "+").endswith("+"):
        return "the source is not committed"
    if flags.only or flags.file != "*" or flags.shallow:
        return "expected without --only, --file and --shallow"
    return ""


def main(argv: list[str] | None = None) -> int:
    """Try them; the exit code."""
    flags = tyro.cli(Flags, args=argv, config=(tyro.conf.FlagCreatePairsOff,))
    files = [name for name in subjects() if fnmatchcase(name, flags.file)]
    if flags.generated:
        mutants = [
            mutant
            for name in files
            for mutant in generate.sample(
                name, flags.share_of(name), flags.seed
            )
        ]
    else:
        mutants = [
            mutant
            for mutant in named.read()
            if mutant.file in files and flags.only in mutant.name
        ]
    if flags.json and (reason := unpublishable(flags)):
        print(f"error: --json: {reason}", file=sys.stderr)
        return UsageError.exit_code
    if flags.dry:
        for mutant in mutants:
            print(mutant.line, mutant.key)
        return 0
    try:
        for framework in FRAMEWORKS:
            find_python(flags.environments, framework)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    flags.home.mkdir(parents=True, exist_ok=True)
    if flags.trained:
        try:
            with EndBySignals():  # so that no training is left behind
                rows, seconds = trained.train_all(
                    flags.home, flags.environments
                )
        except NoVerdict as reason:
            print(f"error: {reason}", file=sys.stderr)
            return 1
        if flags.json:
            publish(flags.json, "trained", rows, seconds)
        return 0
    baseline.make(flags.home, flags.environments, flags.jobs, print)
    known = judged.read()
    reach = reach_of(mutants, known, flags)
    log = session.Log(flags.home / "outcomes.jsonl", flags.again, reach)
    needed = {m.framework for m in mutants if m.key not in log.known}
    needed = {"pytorch" if f == "common" else f for f in needed}
    if needed:
        session.control(
            *(log, flags.home, flags.environments),
            [name for name in FRAMEWORKS if name in needed],
            flags.jobs,
        )
    session.try_all(
        *(mutants, log, flags.home, flags.environments, flags.jobs, reach)
    )
    return conclude(mutants, log, known, flags)


if __name__ == "__main__":
    sys.exit(main())
