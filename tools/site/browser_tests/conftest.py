"""A built site, and a browser to open it in."""

import shutil
from pathlib import Path

import pytest

from common.run.records import find_runs
from tools.site.contract import ROOT
from tools.site.pages import build
from tools.site.plan import Site
from tools.site.shots import chromium, show
from tools.site.tests import fakes


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The site from this checkout's records, and made-up ones beside them.

    The made-up ones make sure that there are bands; they are a recipe of
    their own and never lie over real ones.
    """
    home = tmp_path_factory.mktemp("site")
    fakes.three(home / "made-up")
    fakes.predictions(home / "made-up")
    for name in ("results", "runs"):
        for run in find_runs(ROOT / name)[0]:
            target = home / "made-up" / run.folder.parts[-2] / run.folder.name
            shutil.copytree(
                run.folder,
                target,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("*.safetensors"),
            )
    build(
        Site(
            home / "out",
            runs=home / "made-up",
            parity=ROOT / "results" / "parity.json",
        )
    )
    return home / "out"


@pytest.fixture(scope="session")
def driver():
    """One Chromium for all tests."""
    with chromium() as made:
        yield made


class Browser:
    """What the tests do with a page."""

    def __init__(self, driver, site: Path):
        self.driver, self.site = driver, site
        self.js = driver.execute_script

    def open(self, page: str, width: int = 1440, theme: str = "light"):
        """A page at a width, in the system's theme."""
        show(self.driver, f"{self.site.as_uri()}/{page}", width, theme)
        return self

    def all(self, selector: str):
        """The elements of a selector."""
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str):
        """The only element of a selector."""
        (found,) = self.all(selector)
        return found

    def shown(self, selector: str) -> int:
        """How many elements of a selector are visible."""
        return sum(e.is_displayed() for e in self.all(selector))

    def errors(self) -> list[str]:
        """What the console has said since the last question."""
        return [line["message"] for line in self.driver.get_log("browser")]


@pytest.fixture
def browser(driver, site):
    """A browser whose console must stay silent."""
    made = Browser(driver, site)
    made.errors()
    driver.get((site / "index.html").as_uri())
    driver.execute_script("localStorage.clear()")
    yield made
    assert made.errors() == []
