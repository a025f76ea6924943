"""The commands of this project: `nox -l` lists them.

Each framework has an environment of its own: their CUDA libraries write
over each other's files. Flags after `--` reach the program.
"""

import os
import shutil
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

nox.options.default_venv_backend = "virtualenv"  # pip: see README
nox.options.reuse_existing_virtualenvs = True
nox.options.download_python = "never"
nox.options.sessions = ["lint", "parity"]

# By session: the folder in frameworks/, and the name in requirements/.
FRAMEWORKS = {
    "tf": ("tensorflow_eager", "tensorflow"),
    "torch": ("pytorch", "pytorch"),
    "jax": ("jax_flax", "jax"),
}
PYTORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
GPU = shutil.which("nvidia-smi") is not None

# nox kills its child half a second after Ctrl-C; a run needs a moment to
# write that it was interrupted.
PATIENT = {"interrupt_timeout": 60, "terminate_timeout": 60}

TRACES = Path("traces")
# The oracle's products are small: OpenBLAS's threads only get in each
# other's way.
# Tests of the tools that need nothing beyond requirements/tools.txt.
TOOL_TESTS = [
    *(f"tools/{n}/tests" for n in ("bench", "gpu_check", "results")),
    "tools/site/tests/test_site_parts.py",
    "tools/site/tests/test_site_reports.py",
]
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


def install(session: nox.Session, requirements: str) -> None:
    """Install a pinned file, with what pip has to be told for it."""
    options = []
    if requirements == "pytorch-cpu":
        # A machine may supply the CPU build by pip's configuration.
        found = session.run_install(
            *("python", "-m", "pip", "install", "--dry-run", "--no-deps"),
            *("-r", "requirements/pytorch-cpu.txt"),
            silent=True,
            success_codes=[0, 1],
        )
        if found and "No matching distribution" in found:
            options = ["--extra-index-url", PYTORCH_CPU_INDEX]
    session.install(*options, "-r", f"requirements/{requirements}.txt")


def run_in(
    session: nox.Session,
    short: str,
    module: str,
    *words,
    success: tuple[int, ...] = (0,),
) -> None:
    """Run a module in the environment of `train-<short>`."""
    home = Path(session.cache_dir).parent / f"train-{short}"
    session.run(
        *(str(home / "bin" / "python"), "-m", module, *map(str, words)),
        env=QUIET | JAX_CACHE | PASSIVE,
        success_codes=success,
        external=True,
        **PATIENT,
    )


def train(session: nox.Session, short: str) -> None:
    """Install a framework and train with it."""
    folder, name = FRAMEWORKS[short]
    install(session, f"{name}-{'gpu' if GPU else 'cpu'}")
    session.run(
        *("python", "-m", f"frameworks.{folder}.train", *session.posargs),
        env=QUIET,
        **PATIENT,
    )


@nox.session(name="train-tf")
def train_tf(session):
    """Train DavidNet in TensorFlow eager; -- --help lists the flags."""
    train(session, "tf")


@nox.session(name="train-torch")
def train_torch(session):
    """Train DavidNet in PyTorch; -- --help lists the flags."""
    train(session, "torch")


@nox.session(name="train-jax")
def train_jax(session):
    """Train DavidNet in JAX; -- --help lists the flags."""
    train(session, "jax")


@nox.session(venv_backend="none")
def compare(session):
    """Compare the runs in runs/, recipe by recipe, without training."""
    for short in FRAMEWORKS:
        if (Path(session.cache_dir).parent / f"train-{short}").exists():
            run_in(session, short, "common.run.compare", *session.posargs)
            return
    session.error("no run to compare: nox -s train-tf train-torch train-jax")


@nox.session
def tests(session):
    """Test common code, mirror and programs; -- -k WORD picks some."""
    install(session, "tools")
    make_environments(session)
    run_tests(session, *session.posargs)


@nox.session
def parity(session):
    """Prove that the three are one training: tests, traces, the ladder."""
    install(session, "tools")
    make_environments(session)
    if not session.posargs:
        run_tests(session)
    # Unlike any other, so that no trace of another time can pass.
    run_id = uuid.uuid4().hex
    files = make_traces(session, "--run-id", run_id)
    words = ("--run-id", run_id, "--handover", TRACES)
    files += make_traces(session, *words, suffix=".handover")
    session.run(
        *("python", "-m", "parity_tests.compare", *map(str, files)),
        *("--run-id", run_id, "--json", str(TRACES / "parity.json")),
        *("--html", str(TRACES / "parity.html"), *session.posargs),
        env=ONE_THREAD,
    )


@nox.session
def machines(session):
    """Run the ladder as on 18 processors: -- --quick, --only NAME."""
    install(session, "tools")
    make_environments(session)
    home = Path(session.cache_dir).parent
    session.run(
        *("python", "-m", "parity_tests.machines"),
        *(f"--environments={home}", *session.posargs),
        env=ONE_THREAD,
        **PATIENT,
    )


@nox.session
def mutants(session):
    """Break one thing at a time: does parity see it? -- --generated."""
    install(session, "tools")
    make_environments(session)
    home = Path(session.cache_dir).parent
    session.run(
        *("python", "-m", "parity_tests.mutants"),
        *(f"--environments={home}", *session.posargs),
        env=ONE_THREAD,
        **PATIENT,
    )


def run_tests(session: nox.Session, *words: str) -> None:
    """pytest, with the environments of the programs that it starts."""
    home = Path(session.cache_dir).parent
    # The tests mostly wait for programs; each uses one core to start up.
    workers = min(4, os.cpu_count() or 1)
    session.run(
        *("pytest", "parity_tests", *TOOL_TESTS, f"--environments={home}"),
        *(f"--numprocesses={workers}", *words),
        env=ONE_THREAD | JAX_CACHE | PASSIVE,
    )


def make_traces(session: nox.Session, *words, suffix="") -> list[Path]:
    """All three traces, two at a time: each mostly uses one core."""

    def make(short: str) -> Path:
        return make_trace(session, short, *words, suffix=suffix)

    with ThreadPoolExecutor(max_workers=2) as pool:
        # JAX first: it compiles more than the others, and takes longest.
        return list(pool.map(make, reversed(FRAMEWORKS)))


def make_trace(session: nox.Session, short: str, *words, suffix="") -> Path:
    """Let a framework write its trace, in its own environment."""
    folder, _ = FRAMEWORKS[short]
    file = TRACES / f"{folder}{suffix}.npz"
    TRACES.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    given = ("--framework", folder, "--out", file, *words)
    run_in(session, short, "parity_tests.trace", *given)
    return file


def trace(session: nox.Session, short: str) -> None:
    """Write one framework's trace, by the flags after --."""
    make_environments(session, short)
    given = ("--framework", FRAMEWORKS[short][0], *session.posargs)
    run_in(session, short, "parity_tests.trace", *given)


@nox.session(name="trace-tf", venv_backend="none")
def trace_tf(session):
    """Write TensorFlow's trace; -- --device gpu --out my.npz."""
    trace(session, "tf")


@nox.session(name="trace-torch", venv_backend="none")
def trace_torch(session):
    """Write PyTorch's trace; -- --device gpu --out my.npz."""
    trace(session, "torch")


@nox.session(name="trace-jax", venv_backend="none")
def trace_jax(session):
    """Write JAX's trace; -- --device gpu --out my.npz."""
    trace(session, "jax")


@nox.session
def bench(session):
    """Measure speed beside the machine's limit; -- --quick, --peer, ..."""
    install(session, "tools")
    make_environments(session)
    if "--peer" in session.posargs:
        install_only(session, "keras-torch", "keras-jax")
    home = Path(session.cache_dir).parent
    session.run(
        *("python", "-m", "tools.bench", f"--environments={home}"),
        *session.posargs,
        **PATIENT,
    )


@nox.session(name="keras-torch")
def keras_torch(session):
    """Make the environment of Keras on PyTorch, for bench -- --peer."""
    install(session, f"pytorch-{'gpu' if GPU else 'cpu'}")
    install(session, "keras")


@nox.session(name="keras-jax")
def keras_jax(session):
    """Make the environment of Keras on JAX, for bench -- --peer."""
    install(session, f"jax-{'gpu' if GPU else 'cpu'}")
    install(session, "keras")


def make_environments(session: nox.Session, *shorts: str) -> None:
    """Install what the train sessions run in, without training."""
    install_only(session, *(f"train-{s}" for s in shorts or FRAMEWORKS))


def install_only(session: nox.Session, *names: str) -> None:
    """Make the environments of other sessions, without running them."""
    session.run_install(
        *(sys.executable, "-m", "nox", "--install-only", "-s", *names),
        external=True,
    )


@nox.session
def site(session):
    """Build site/: the reader and the report; -- --help lists the flags."""
    install(session, "site")
    for short, (folder, _) in FRAMEWORKS.items():
        home = Path(session.cache_dir).parent / f"train-{short}"
        if home.exists():  # the augmented images as this framework makes them
            run_in(
                session,
                short,
                "tools.site.augmented",
                *("--framework", folder),
                success=(0, 69),  # 69: there is no CIFAR-10 on this disk
            )
    session.run("python", "-m", "tools.site", *session.posargs)


@nox.session(name="site-test")
def site_test(session):
    """Test the site, in a real Chromium too (Debian: chromium-driver)."""
    install(session, "site")
    session.run(
        *("pytest", "tools/site/tests", "tools/site/browser_tests"),
        *session.posargs,
    )


@nox.session
def lint(session):
    """Check style: ruff's rules, its format, and 80 columns."""
    install(session, "tools")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
