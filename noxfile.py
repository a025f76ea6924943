"""The commands of this project: `nox -l` lists them.

The sessions that make an environment are named like it; the others run in
one or more of these and have none of their own. Flags after `--` reach the
program.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))
from common.environments import (
    FRAMEWORKS,
    KINDS,
    PYTHONS,
    PYTORCH_CPU_INDEX,
    choose_python,
    environment_name,
    find_python,
    machine_kind,
)
from common.errors import UsageError

nox.options.default_venv_backend = "virtualenv"  # pip: see README
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True  # not a session skipped
nox.options.sessions = ["lint", "types", "parity"]

ENVIRONMENTS = [environment_name(framework) for framework in FRAMEWORKS]
# nox kills its child half a second after Ctrl-C; a run needs a moment to
# write that it was interrupted.
PATIENT = {"interrupt_timeout": 60, "terminate_timeout": 60}
TRACES = Path("traces")
# Tests of the tools that need nothing beyond requirements/tools.txt.
TOOLS = ("bench", "gpu_check", "launch", "machines", "prose", "results")
TOOL_TESTS = [
    *(f"tools/{name}/tests" for name in TOOLS),
    "tools/site/tests/test_site_parts.py",
]
# How trainings of several processes start and end: many starts of programs.
# What they compute is the ladder's.
PROCESS_TESTS = [
    "parity_tests/programs/test_world.py",
    "parity_tests/programs/test_launch.py",
]
# Of the files that GitHub reads.
SCHEMAS = {
    "github-workflows": ".github/workflows/*.yml",
    "github-issue-forms": ".github/ISSUE_TEMPLATE/difference.yml",
    "github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "citation-file-format": "CITATION.cff",
}
# The oracle's products are small: OpenBLAS's threads only get in each
# other's way.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
# For tests and traces, which compile the same programs again and again: a
# test's run of JAX took 38 s without this and 7 s with it. Trainings compile
# for themselves, so that their record tells how long it takes.
JAX_CACHE = {
    "JAX_COMPILATION_CACHE_DIR": str(Path(".nox/.cache/jax").resolve()),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}  # TensorFlow: errors only
# Let OpenMP's threads sleep while they wait, not turn in circles: beside one
# other program PyTorch's rung 1 took 23 s, and 11 s so.
PASSIVE = {"OMP_WAIT_POLICY": "passive"}


# --- Environments -------------------------------------------------------


def runs(name: str) -> bool:
    """Whether an interpreter of this name is there and starts."""
    try:
        return not subprocess.call([name, "-c", ""], stderr=subprocess.DEVNULL)
    except OSError:
        return False


def has_uv() -> bool:
    """Whether uv is there, and another back end is not asked for."""
    backend = os.environ.get("NOX_DEFAULT_VENV_BACKEND", "uv")
    return "uv" in backend and bool(find_spec("uv") or shutil.which("uv"))


def python_version() -> str | None:
    """The Python of all environments; None for the one that runs nox."""
    major, minor = sys.version_info[:2]
    try:
        found = choose_python(f"{major}.{minor}", runs, has_uv)
    except UsageError as error:
        sys.exit(f"error: {error}")
    if found and not runs(f"python{found}"):
        nox.options.default_venv_backend = "uv"
    return found


# What pip is configured with, by uv's variable for the same.
UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}


def uv_variables() -> dict[str, str]:
    """The settings of pip, for uv, which does not read them.

    A variable that is set for uv already stays as it is.
    """
    words = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(words, capture_output=True, text=True)
    found = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # as pip chooses
    # Last the strongest: of all commands, of `install`, of the environment.
    for section in ("global.", "install.", ":env:."):
        for line in done.stdout.splitlines():
            key, _, value = line.partition("=")
            name = UV_VARIABLES.get(key.removeprefix(section))
            if key.startswith(section) and name:
                comma = "," if name == "UV_FIND_LINKS" else " "
                found[name] = comma.join(ast.literal_eval(value).split())
    return {n: v for n, v in found.items() if n not in os.environ}


def settings(session: nox.Session) -> dict[str, str]:
    """The variables that an installation needs: pip's settings, for uv."""
    return uv_variables() if session.venv_backend == "uv" else {}


def make_environment(session: nox.Session, *files: str) -> None:
    """Install pinned files of requirements/, by pip or by uv."""
    variables = settings(session)
    options = []
    if "pytorch-cpu" in files:
        options = index_of_torch(session, variables)
    for file in files:
        options += ["-r", f"requirements/{file}.txt"]
    session.install(*options, env=variables)


def index_of_torch(session: nox.Session, variables: dict) -> list[str]:
    """PyTorch's index, unless the CPU build is found without it.

    It is not on PyPI, but a machine may supply it. A trial that fails for
    another reason is not told here: the installation fails at the same.
    """
    with open("requirements/pytorch-cpu.in") as file:
        torch = next(line.strip() for line in file if "torch==" in line)
    with tempfile.TemporaryFile("w+") as output:
        session.install(
            *("--dry-run", "--no-deps", torch),
            env=variables,
            silent=False,
            stdout=output,
            success_codes=range(256),
        )
        output.seek(0)
        said = output.read()
    missing = ("No matching distribution found", "No solution found")
    found = not any(words in said for words in missing)
    return [] if found else ["--extra-index-url", PYTORCH_CPU_INDEX]


def add_environment(name: str, *files: str) -> None:
    """A session of that name, which makes the environment of that name."""

    def make(session):
        make_environment(session, *files)

    make.__doc__ = f"Make .nox/{name} of requirements/."
    nox.session(make, name=name, default=False, python=PYTHON)


PYTHON = python_version()
for kind in KINDS:
    for framework in FRAMEWORKS.values():
        name = f"{framework.requirements}-{kind}"
        add_environment(name, name)
    for name in (f"pytorch-{kind}", f"jax-{kind}"):
        add_environment(f"keras-{name}", name, "keras")
add_environment("pytorch-paper", "pytorch-cpu", "pytorch-paper")
add_environment("jax-paper", "jax-paper")
add_environment("tools", "tools")
add_environment("site-tools", "site")
add_environment("pins-tools", "pins")
CPU_BUILDS = [f"{names.requirements}-cpu" for names in FRAMEWORKS.values()]
add_environment("notebook-tools", *CPU_BUILDS, "notebook")


def command(*environments: str, name: str | None = None):
    """A session that runs in environments, which are made before."""
    return nox.session(name=name, venv_backend="none", requires=environments)


def run(
    session: nox.Session,
    environment: str,
    *words,
    success: Iterable[int] = (0,),
    **variables: str,
) -> None:
    """Run the Python of an environment."""
    home = Path(session.cache_dir).parent
    python = home.resolve() / environment / "bin" / "python"
    session.run(
        *(str(python), *map(str, words)),
        env=QUIET | variables,
        success_codes=success,
        external=True,
        **PATIENT,
    )


def environments(session: nox.Session) -> str:
    """The flag that tells a program where the environments are."""
    return f"--environments={Path(session.cache_dir).parent}"


# --- Train --------------------------------------------------------------


def add_train(framework: str, short: str) -> None:
    """The session train-<short>."""
    environment = environment_name(framework)

    def train(session):
        words = (f"frameworks.{framework}.train",)
        if any(w.startswith("--processes") for w in session.posargs):
            words = ("tools.launch", framework)
        run(session, environment, "-m", *words, *session.posargs)

    train.__doc__ = f"Train DavidNet in {framework}; -- --help lists the flags."
    command(environment, name=f"train-{short}")(train)


def add_trace(framework: str, short: str) -> None:
    """The session trace-<short>."""

    def trace(session):
        words = ("--framework", framework, *session.posargs)
        run_trace(session, framework, *words)

    trace.__doc__ = f"Write {framework}'s trace; -- --device gpu --out my.npz."
    command(environment_name(framework), name=f"trace-{short}")(trace)


for folder, names in FRAMEWORKS.items():
    add_train(folder, names.short)
for folder, names in FRAMEWORKS.items():
    add_trace(folder, names.short)


def reader(words: list[str], home: Path) -> str:
    """The framework that reads a trained network: its folder.

    The one after `--with`, which is taken out of words; or the one in the
    path of the run, or else the first whose environment is there.
    """
    there = [f for f in FRAMEWORKS if (home / environment_name(f)).exists()]
    words[:] = [p for w in words for p in re.split(r"(?<=^--with)=", w)]
    if "--with" in words:
        place = words.index("--with")
        named = words[place + 1 : place + 2]
        del words[place : place + 2]
        found = [f for f in FRAMEWORKS if [FRAMEWORKS[f].short] == named]
    else:
        parts = [p for word in words for p in reversed(Path(word).parts)]
        found = [part for part in parts if part in there] or there
    if not found or found[0] not in there:
        shorts = [names.short for names in FRAMEWORKS.values()]
        names = " or ".join(environment_name(f) for f in found or FRAMEWORKS)
        sys.exit(
            f"error: --with takes {', '.join(shorts)}, of what is installed; "
            f"nox -s {names} installs more"
        )
    return found[0]


@command()
def evaluate(session):
    """Test a trained network: -- RUN [PICTURE ...] [--with tf|torch|jax]."""
    words = list(session.posargs)
    framework = reader(words, Path(session.cache_dir).parent)
    module = f"frameworks.{framework}.predict"
    run(session, environment_name(framework), "-m", module, *words)


@command()
def compare(session):
    """Compare the runs in runs/, recipe by recipe, without training."""
    home = Path(session.cache_dir).parent
    for environment in ENVIRONMENTS:
        if (home / environment).exists():
            words = ("-m", "common.run.compare", *session.posargs)
            return run(session, environment, *words)
    session.error("no run to compare: nox -s train-tf train-torch train-jax")


# --- Prove --------------------------------------------------------------


@command("tools")
def lint(session):
    """Check style, spelling, words, workflows, and the types of common/."""
    run(session, "tools", "-m", "ruff", "check")
    run(session, "tools", "-m", "ruff", "format", "--check")
    run(session, "tools", "-m", "codespell_lib")
    run(session, "tools", "-m", "tools.prose")
    for schema, files in SCHEMAS.items():
        words = ("--builtin-schema", f"vendor.{schema}", "--quiet")
        paths = sorted(Path().glob(files))
        run(session, "tools", "-m", "check_jsonschema", *words, *paths)
    run(session, "tools", "-m", "mypy")


@command("tools", *ENVIRONMENTS)
def types(session):
    """Check the types of frameworks/, each beside its own framework."""
    for framework in FRAMEWORKS:
        python = find_python(Path(session.cache_dir).parent, framework)
        words = (f"--python-executable={python}", f"frameworks/{framework}")
        run(session, "tools", "-m", "mypy", *words)


@command("tools")
def unit(session):
    """Test what needs no framework; -- -k WORD picks some."""
    run_tests(session, "parity_tests/unit", *TOOL_TESTS, *session.posargs)


@command("tools", *ENVIRONMENTS)
def tests(session):
    """Test common code, mirror and programs; -- -k WORD picks some."""
    run_tests(session, "parity_tests", *TOOL_TESTS, *session.posargs)


@command("tools", *ENVIRONMENTS)
def parity(session):
    """Prove that the three are one training: tests, traces, the ladder."""
    if not session.posargs:
        without = [f"--ignore={path}" for path in PROCESS_TESTS]
        run_tests(session, "parity_tests", *TOOL_TESTS, *without)
    # Unlike any other, so that no trace of another time can pass.
    run_id = uuid.uuid4().hex
    files = make_traces(session, "--run-id", run_id)
    words = ("--run-id", run_id, "--exchange", TRACES)
    files += make_traces(session, *words, suffix=".exchange")
    run(
        *(session, "tools", "-m", "parity_tests.compare", *files),
        *("--run-id", run_id, "--json", TRACES / "parity.json"),
        *("--html", TRACES / "parity.html", *session.posargs),
        **ONE_THREAD,
    )


def run_tests(session: nox.Session, *words: str) -> None:
    """pytest, told where the environments of the programs are."""
    # The tests mostly wait for programs; each uses one core to start up.
    workers = min(4, os.cpu_count() or 1)
    run(
        *(session, "tools", "-m", "pytest", environments(session)),
        # Tests that start programs come first, and take by far the longest:
        # an idle worker takes what another has not begun.
        *(f"--numprocesses={workers}", "--dist=worksteal", *words),
        **(ONE_THREAD | JAX_CACHE | PASSIVE),
    )


def make_traces(session: nox.Session, *words, suffix="") -> list[Path]:
    """All three traces, two at a time: each mostly uses one core."""
    TRACES.mkdir(exist_ok=True)

    def make(framework: str) -> Path:
        file = TRACES / f"{framework}{suffix}.npz"
        file.unlink(missing_ok=True)
        given = ("--framework", framework, "--out", file, *words)
        run_trace(session, framework, *given)
        return file

    with ThreadPoolExecutor(max_workers=2) as pool:
        # JAX first: it compiles more than the others, and takes longest.
        return list(pool.map(make, reversed(FRAMEWORKS)))


def run_trace(session: nox.Session, framework: str, *words) -> None:
    """Let a framework write its trace, in its own environment."""
    run(
        *(session, environment_name(framework)),
        *("-m", "parity_tests.trace", *words),
        **(JAX_CACHE | PASSIVE),
    )


# What compiles for a GPU without one, beside TensorFlow's own environment.
PAPER = [ENVIRONMENTS[0], "pytorch-paper", "jax-paper"]


@command("tools", *PAPER, name="gpu-paper")
def gpu_paper(session):
    """Prove the GPU path without a GPU: kernels, copies, JAX for an H100."""
    folder = TRACES / "gpu"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for framework, environment in zip(FRAMEWORKS, PAPER, strict=True):
        words = ("--full", "--out", folder / f"{framework}.json")
        run(
            *(session, environment, "-m", f"parity_tests.gpu.{framework}"),
            *words,
            **(PASSIVE | {"JAX_PLATFORMS": "cpu"}),
        )
    words = (folder, "--published", "results/gpu.json", *session.posargs)
    run(session, "tools", "-m", "parity_tests.gpu", *words)


@command("tools", *ENVIRONMENTS)
def torture(session):
    """Kill trainings at random moments: do they resume to the same bits?"""
    run(
        *(session, "tools", "-m", "parity_tests.programs.torture"),
        *(environments(session), *session.posargs),
        **(JAX_CACHE | PASSIVE),
    )
    run_tests(session, "parity_tests/programs/long_world.py")


@command("tools", *ENVIRONMENTS)
def machines(session):
    """Run the ladder as on many processors: -- --quick, --only NAME."""
    run(
        *(session, "tools", "-m", "tools.machines"),
        *(environments(session), *session.posargs),
        **ONE_THREAD,
    )


@command("tools", *ENVIRONMENTS)
def processes(session):
    """Test how trainings of several processes start, and how they end."""
    run_tests(session, *PROCESS_TESTS, *session.posargs)


@command("tools", *ENVIRONMENTS, name="first-epoch")
def first_epoch(session):
    """Train an epoch of CIFAR-10 as one process and as two: the same?"""
    words = ("-m", "tools.launch.first_epoch", environments(session))
    run(session, "tools", *words, *session.posargs)


@command("tools", *ENVIRONMENTS)
def slurm(session):
    """Run docs/scale/*.sbatch on a Slurm cluster that is this machine."""
    words = ("-m", "tools.launch.slurm", environments(session))
    run(session, "tools", *words, **(JAX_CACHE | PASSIVE))


@command("tools", *ENVIRONMENTS)
def mutants(session):
    """Break one thing at a time: does parity see it? -- --generated."""
    run(
        *(session, "tools", "-m", "parity_tests.mutants"),
        *(environments(session), *session.posargs),
        **ONE_THREAD,
    )


# --- Newest releases ----------------------------------------------------

# The newest one here: new releases leave old Pythons behind.
NEWEST_PYTHON = next((v for v in reversed(PYTHONS) if runs(f"python{v}")), None)


def cpu_build() -> list[str]:
    """The newest CPU build of torch, and PyTorch's index if it is there.

    Without a +cpu, pip would take the newer CUDA build, several GB of it.
    """
    for index in ([], ["--extra-index-url", PYTORCH_CPU_INDEX]):
        words = [sys.executable, "-m", "pip", "index", "versions", "torch"]
        done = subprocess.run([*words, *index], capture_output=True, text=True)
        if found := re.search(r"[\w.]+\+cpu", done.stdout):
            return [f"torch=={found[0]}", *index]
    sys.exit("error: pip finds no CPU build of torch")


def add_newest(requirements: str) -> str:
    """The session that makes an environment of the newest releases."""
    name = f"newest-{requirements}"
    kind = machine_kind()
    # Its CPU build is looked for by the pip, and so the Python, of nox.
    cpu_torch = requirements == "pytorch" and kind == "cpu"

    def make(session):
        text = Path(f"requirements/{requirements}-{kind}.in").read_text()
        lines = re.sub(r"={2,3}[^\s;]+", "", text).splitlines()
        common = Path("requirements/common.in").resolve()
        wanted = [f"-r {common}" if "-r " in line else line for line in lines]
        options = []
        if cpu_torch:
            wanted.remove("torch")
            options = cpu_build()
        path = Path(session.create_tmp()) / "newest.in"
        path.write_text("\n".join(wanted) + "\n")
        words = ("--upgrade", "-r", str(path), *options)
        session.install(*words, env=settings(session))

    make.__doc__ = f"Make .nox/{name}, of the newest releases that resolve."
    python = PYTHON if cpu_torch else NEWEST_PYTHON
    nox.session(make, name=name, default=False, python=python)
    return name


NEWEST = {f: add_newest(names.requirements) for f, names in FRAMEWORKS.items()}


@command("tools", *ENVIRONMENTS, *NEWEST.values())
def newest(session):
    """Does a new release change a training? The ladder on the newest ones."""
    run_id = uuid.uuid4().hex
    folder = TRACES / "newest"
    shutil.rmtree(folder, ignore_errors=True)

    def make(pair: tuple[str, str]) -> None:
        framework, environment = pair
        part = "newest" if environment in NEWEST.values() else "pinned"
        run(
            *(session, environment, "-m", "parity_tests.trace"),
            *("--framework", framework, "--run-id", run_id),
            *("--out", folder / part / f"{framework}.npz"),
            # That a release breaks a trace, or crashes (a negative code), is
            # a finding, not the end.
            success=range(-64, 256) if part == "newest" else (0,),
            **(JAX_CACHE | PASSIVE),
        )

    pinned = zip(FRAMEWORKS, ENVIRONMENTS, strict=True)
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(make, [*pinned, *NEWEST.items()]))
    words = ("-m", "tools.newest", folder, *session.posargs)
    run(session, "tools", *words, **ONE_THREAD)


# --- Tools --------------------------------------------------------------

# nox asks for a session's environments before it knows the words after --.
KERAS = [environment_name(f, keras=True) for f in ("pytorch", "jax_flax")]


@command("tools", *ENVIRONMENTS, *(KERAS if "--peer" in sys.argv else ()))
def bench(session):
    """Measure speed beside the machine's limit; -- --quick, --peer, ..."""
    words = ("-m", "tools.bench", environments(session), *session.posargs)
    run(session, "tools", *words)


@command("site-tools")
def site(session):
    """Build site/: the reader and the report; -- --help lists the flags."""
    run(session, "site-tools", "-m", "tools.site", *session.posargs)


@command("site-tools", name="site-test")
def site_test(session):
    """Test the site, in a real Chromium too (Debian: chromium-driver)."""
    run(
        *(session, "site-tools", "-m", "pytest"),
        *("tools/site/tests", "tools/site/browser_tests", *session.posargs),
    )


@command("notebook-tools")
def notebook(session):
    """Run docs/three_frameworks.ipynb: the same output? -- --write."""
    run(session, "notebook-tools", "-m", "tools.notebook", *session.posargs)


@command("pins-tools")
def pins(session):
    """Show that requirements/ installs elsewhere; -- --compile makes it."""
    words = ("-m", "tools.pins", *session.posargs)
    run(session, "pins-tools", *words, **uv_variables())
