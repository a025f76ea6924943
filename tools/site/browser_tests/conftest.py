"""A built site, and a browser to open it in."""

import shutil
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from common.run.records import find_runs
from tools.site.contract import ROOT
from tools.site.pages import build
from tools.site.plan import Site
from tools.site.tests import fakes

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
)


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The site from this checkout's records, and made-up ones beside them.

    The made-up ones make sure that there are bands; they are a recipe of
    their own and never lie over real ones.
    """
    home = tmp_path_factory.mktemp("site")
    fakes.three(home / "made-up")
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
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    program = shutil.which("chromedriver")
    if not binary or not program:
        pytest.fail(
            "no Chromium here; on Debian: apt-get install chromium "
            "chromium-driver",
            pytrace=False,
        )
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options, Service(program)) as made:
        yield made


class Browser:
    """What the tests do with a page."""

    def __init__(self, driver, site: Path):
        self.driver, self.site = driver, site
        self.js = driver.execute_script

    def open(self, page: str, width: int = 1440, theme: str = "light"):
        """A page at a width, in the system's theme."""
        cdp = self.driver.execute_cdp_cmd
        size = {"width": width, "height": 900}
        more = {"deviceScaleFactor": 1, "mobile": False}
        cdp("Emulation.setDeviceMetricsOverride", size | more)
        feature = {"name": "prefers-color-scheme", "value": theme}
        cdp("Emulation.setEmulatedMedia", {"features": [feature]})
        self.driver.get("about:blank")
        self.driver.get(f"{self.site.as_uri()}/{page}")
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
