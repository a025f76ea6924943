"""The benchmark's charts, and the page of proofs."""

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait


def points(browser, chart: str) -> int:
    """Markers and bars that are drawn in a chart."""
    return len(browser.all(f"#chart-{chart} :is(.point path, path.point)"))


def wait(browser, what) -> None:
    WebDriverWait(browser.driver, 20).until(lambda _: what())


@pytest.fixture
def page(browser):
    browser.open("performance.html")
    wait(browser, lambda: points(browser, "threads"))
    return browser


def test_every_figure_is_drawn(page):
    assert points(page, "step") == 6  # 3 frameworks, 2 modes
    assert points(page, "epoch") == 12
    assert points(page, "keras") == 9  # step, epoch, fit of each
    assert points(page, "width") == 3 * 5
    assert points(page, "batch_size") == 3 * 4
    assert points(page, "threads") == 3 * 2


def test_bars_say_their_number_and_the_ratio_to_the_limit(page):
    words = [tick.text for tick in page.all("#chart-step .ytick text")]
    assert len(words) == 6
    assert all("%" in word for word in words)
    assert "limit" in page.one("#chart-step .annotation-text").text


def test_a_network_is_picked_by_keyboard_and_kept_in_the_address(page):
    box = page.one("#scenes input:checked")
    box.send_keys(Keys.ARROW_DOWN)
    assert "scene=width-16-bfloat16" in page.driver.current_url
    assert page.shown("[data-needs=keras]") == 0  # not measured there
    assert points(page, "step") == 6
    page.driver.refresh()
    wait(page, lambda: points(page, "threads"))
    chosen = page.one("#scenes input:checked")
    assert chosen.get_attribute("value") == "width-16-bfloat16"


def test_the_charts_follow_the_theme(page):
    ink = """return getComputedStyle(
        document.querySelector("#chart-width .xtick text")).fill"""
    before = page.js(ink)
    page.one("button.theme").click()
    wait(page, lambda: page.js(ink) != before)


def test_the_charts_fit_a_narrow_screen(browser):
    browser.open("performance.html", width=400)
    wait(browser, lambda: points(browser, "threads"))
    for chart in ("step", "epoch", "keras", "width"):
        width = browser.one(f"#chart-{chart} .main-svg:first-child").size
        assert width["width"] in range(300, 401)


def test_survivors_unfold_by_keyboard(browser):
    browser.open("proof.html")
    assert browser.shown(".survivors") == 0
    browser.all(".generated summary")[0].send_keys(Keys.ENTER)
    assert browser.shown(".survivors") == 1
    link = browser.all(".survivors a")[0]
    link.send_keys(Keys.ENTER)
    assert browser.driver.current_url.endswith(
        "src/frameworks-tensorflow_eager-model.html#L12"
    )
