"""Pictures of the built site for the README, taken in a headless Chromium."""

import hashlib
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, PngImagePlugin
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from tools.site.contract import ROOT, BuildError, sections

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
)
SHOWN = "train_step"
# Width in pixels and columns of each picture of `SHOWN`.
SHOTS = {
    "reader-two": (1240, "pytorch,jax_flax"),
    "reader-three": (1700, "tensorflow_eager,pytorch,jax_flax"),
}
READY = """
return location.href !== "about:blank" && document.readyState === "complete";
"""
# Leaves only the columns of a name on the page; how high they are.
ALONE = """
const trio = document.getElementById(arguments[0]);
for (const button of trio.querySelectorAll("button")) button.remove();
document.body.replaceChildren(trio);
trio.style.margin = "6px";
return Math.ceil(trio.getBoundingClientRect().height) + 12;
"""


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """A headless Chromium. Raises BuildError if there is none."""
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    program = shutil.which("chromedriver")
    if not binary or not program:
        raise BuildError(
            "no Chromium here; on Debian: apt-get install chromium "
            "chromium-driver"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options, Service(program)) as driver:
        yield driver


def resize(driver, width: int, height: int = 900, scale: int = 1) -> None:
    """Make the window as large as this, in CSS pixels."""
    size = {"width": width, "height": height}
    more = {"deviceScaleFactor": scale, "mobile": False}
    command = "Emulation.setDeviceMetricsOverride"
    driver.execute_cdp_cmd(command, size | more)


def show(driver, address: str, width: int, theme: str = "light") -> None:
    """Open a page at a width, in the system's theme."""
    resize(driver, width)
    feature = {"name": "prefers-color-scheme", "value": theme}
    command = "Emulation.setEmulatedMedia"
    driver.execute_cdp_cmd(command, {"features": [feature]})
    driver.get("about:blank")
    driver.get(address)
    # On a busy machine the blank page was still there once.
    WebDriverWait(driver, 60).until(lambda page: page.execute_script(READY))


def digest(root: Path = ROOT) -> str:
    """Of the source that the pictures show; each picture carries it."""
    lines = [
        line
        for section in sections(root)
        for row in section.rows
        if row.name == SHOWN
        for piece in row.pieces.values()
        for line in piece.lines
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def shoot(site: Path, folder: Path) -> list[Path]:
    """Take all pictures of a built site; the files. Raises BuildError."""
    facts = PngImagePlugin.PngInfo()
    facts.add_text("source", digest())
    made = []
    with chromium() as driver:
        for name, (width, columns) in SHOTS.items():
            page = f"{site.resolve().as_uri()}/read-step.html"
            show(driver, f"{page}?show={columns}", width)
            height = driver.execute_script(ALONE, SHOWN)
            resize(driver, width, height, 2)
            data = io.BytesIO(driver.get_screenshot_as_png())
            image = (
                Image.open(data)
                .convert("RGB")
                .quantize(128, Image.Quantize.MAXCOVERAGE, kmeans=1)
            )
            path = folder / f"{name}.png"
            image.save(path, optimize=True, pnginfo=facts)
            made.append(path)
    return made
