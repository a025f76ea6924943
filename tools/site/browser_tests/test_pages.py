"""All pages: silence, width, colors, keyboard."""

import pytest
from selenium.webdriver.common.keys import Keys

from tools.site.contract import CONTRACT
from tools.site.words import NAMES, reader_page

PAGES = (
    *("index", "src/common-init"),
    *(page.removesuffix(".html") for page in NAMES),
    *(reader_page(file).removesuffix(".html") for file in CONTRACT),
)
CONTRAST = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", {
  willReadFrequently: true});
const light = (text) => {  // the canvas knows oklab too
  canvas.fillStyle = text;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => {
    v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const paper = (e) => {
  const found = getComputedStyle(e).backgroundColor;
  return found === "rgba(0, 0, 0, 0)" ? paper(e.parentElement) : found;
};
return [...document.querySelectorAll(
    "main :is(span, p, a, b, small, th, td, summary, code)")]
  .filter((e) => e.textContent.trim() && e.checkVisibility())
  .map((e) => {
    const two = [light(getComputedStyle(e).color), light(paper(e))].sort();
    return [(Math.max(...two) + 0.05) / (Math.min(...two) + 0.05),
            e.className, e.textContent.slice(0, 30)];
  }).filter((found) => found[0] < 4.5);
"""


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_without_a_word_and_without_the_network(browser, page):
    browser.open(f"{page}.html")
    assert browser.errors() == []
    assert browser.one("h1").text
    loaded = browser.js(
        "return performance.getEntriesByType('resource').map(e => e.name)"
    )
    assert [name for name in loaded if not name.startswith("file:")] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_narrow_page_does_not_scroll_sideways(browser, page):
    browser.open(f"{page}.html", width=400)
    width = browser.js("return document.documentElement.scrollWidth")
    assert width <= 400


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "page",
    ["read-model", "report", "errors", "performance", "proof", "differences"],
)
def test_words_stand_out_from_their_ground(browser, page, theme):
    browser.open(f"{page}.html", theme=theme)
    assert browser.js(CONTRAST) == []


def ground(browser) -> str:
    return browser.js("return getComputedStyle(document.body).backgroundColor")


def test_the_theme_follows_the_system_and_then_the_button(browser):
    browser.open("index.html", theme="light")
    light = ground(browser)
    browser.open("index.html", theme="dark")
    dark = ground(browser)
    assert light == "rgb(255, 255, 255)" != dark
    button = browser.one("button.theme")
    assert button.get_attribute("aria-pressed") == "true"
    button.send_keys(Keys.ENTER)
    assert ground(browser) == light
    browser.open("report.html", theme="dark")
    assert ground(browser) == light


def test_the_first_tab_stop_skips_to_the_content(browser):
    browser.open("read-model.html")
    browser.one("body").send_keys(Keys.TAB)
    first = browser.driver.switch_to.active_element
    assert first.text == "Skip to the content"
    first.send_keys(Keys.ENTER)
    assert browser.js("return document.activeElement.id") == "content"


def test_all_controls_are_reached_by_tab_and_show_it(browser):
    browser.open("read-step.html")
    seen = []
    browser.one("body").send_keys(Keys.TAB)
    for _ in range(150):
        active = browser.driver.switch_to.active_element
        if active.tag_name == "body":  # behind the last one
            break
        style = browser.js(
            "return getComputedStyle(arguments[0]).outlineStyle", active
        )
        assert style != "none", active.get_attribute("outerHTML")
        seen.append(active.get_attribute("outerHTML"))
        active.send_keys(Keys.TAB)
    for part in ('class="theme"', "checkbox", "<summary", 'class="mark"'):
        assert any(part in text for text in seen), part
