"""The commands of this project: `nox -l` lists them.

Each framework has an environment of its own: their CUDA libraries write
over each other's files. Flags after `--` reach the program.
"""

import shutil
import sys
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


def run_in(session: nox.Session, short: str, module: str, *words) -> None:
    """Run a module in the environment of `train-<short>`."""
    home = Path(session.cache_dir).parent / f"train-{short}"
    session.run(
        *(str(home / "bin" / "python"), "-m", module, *map(str, words)),
        external=True,
        **PATIENT,
    )


def train(session: nox.Session, short: str) -> None:
    """Install a framework and train with it."""
    folder, name = FRAMEWORKS[short]
    install(session, f"{name}-{'gpu' if GPU else 'cpu'}")
    session.run(
        *("python", "-m", f"frameworks.{folder}.train", *session.posargs),
        env={"TF_CPP_MIN_LOG_LEVEL": "2"},  # errors only
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


@nox.session
def parity(session):
    """Prove that the three are the same network and training."""
    install(session, "tools")
    session.run("pytest", *session.posargs)
    make_environments(session)
    for short, (folder, _) in FRAMEWORKS.items():
        run_in(
            session,
            short,
            "pytest",
            "parity_tests/contract",
            "--framework",
            folder,
        )


def make_environments(session: nox.Session) -> None:
    """Install what the train sessions run in, without training."""
    names = [f"train-{short}" for short in FRAMEWORKS]
    session.run_install(
        *(sys.executable, "-m", "nox", "--install-only", "-s", *names),
        external=True,
    )


@nox.session
def lint(session):
    """Check style: ruff's rules, its format, and 80 columns."""
    install(session, "tools")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
