"""Pictures of the site's pages, to look at, and for the README.

    python -m tools.site.screenshots --site site --out /tmp/shots
    python -m tools.site.screenshots --only read-step --width 1440 \
        --theme light --out docs

Needs Chromium and selenium, as the tests in browser_tests/ do.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import tyro
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from common.run.usage import PathFlag


@dataclass
class Flags:
    """What to take pictures of."""

    # a built site
    site: PathFlag = Path("site")
    # folder of the pictures
    out: PathFlag = Path("shots")
    # a page without .html, and a #place if wanted; else all pages
    only: tuple[str, ...] = ()
    # pixels
    width: tuple[int, ...] = (1440, 400)
    height: int = 900
    theme: tuple[str, ...] = ("light", "dark")
    # the whole page, not only what a window of that height shows
    full: bool = False


def main(argv: list[str] | None = None) -> None:
    """Write a PNG for each page, width and theme."""
    flags = tyro.cli(Flags, args=argv, description=__doc__)
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(flag)
    service = Service(shutil.which("chromedriver"))
    pages = flags.only or [p.stem for p in sorted(flags.site.glob("*.html"))]
    flags.out.mkdir(parents=True, exist_ok=True)
    with webdriver.Chrome(options, service) as driver:
        for page in pages:
            for width in flags.width:
                for theme in flags.theme:
                    take(driver, flags, page, width, theme)


def resize(driver, width: int, height: int) -> None:
    """The window's size in pixels."""
    size = {"width": width, "height": height}
    more = {"deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size | more)


def take(driver, flags: Flags, page: str, width: int, theme: str) -> None:
    """One picture: out/read-model-1440-dark.png."""
    command = driver.execute_cdp_cmd
    resize(driver, width, flags.height)
    feature = {"name": "prefers-color-scheme", "value": theme}
    command("Emulation.setEmulatedMedia", {"features": [feature]})
    name, _, place = page.partition("#")
    driver.get("about:blank")
    driver.get(f"{(flags.site / name).absolute().as_uri()}.html#{place}")
    if name in ("report", "performance"):
        time.sleep(1)  # for the charts
    if flags.full:
        length = "return document.documentElement.scrollHeight"
        resize(driver, width, driver.execute_script(length))
        time.sleep(0.3)  # for what is drawn when it comes into sight
    target = flags.out / f"{name}-{width}-{theme}.png"
    driver.save_screenshot(str(target))
    print(target)


if __name__ == "__main__":
    main()
