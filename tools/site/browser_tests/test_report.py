"""The report: charts from records, curves that are picked."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

CHARTS = ("seconds", "epochs", "loss", "lr", "speed", "compile")
MADE_UP = "small-epochs-4"


def points(browser, chart: str) -> int:
    """Markers and bars that are drawn in a chart."""
    return len(browser.all(f"#chart-{chart} :is(.point path, path.point)"))


def wait(browser, what) -> None:
    WebDriverWait(browser.driver, 20).until(lambda _: what())


@pytest.fixture
def report(browser):
    browser.open(f"report.html?experiment={MADE_UP}")
    wait(browser, lambda: points(browser, "compile"))
    return browser


def experiments(browser) -> list[str]:
    boxes = browser.all("#experiments input")
    return [box.get_attribute("value") for box in boxes]


def test_charts_draw_from_every_recipes_runs(report):
    """Real runs too, where this checkout has any."""
    for key in experiments(report):
        report.open(f"report.html?experiment={key}")
        wait(report, lambda: points(report, "compile"))
        curves = len(report.all("#curves input"))
        assert curves >= 1
        for chart in CHARTS:
            assert points(report, chart) >= curves, (key, chart)


def test_every_epoch_of_every_group_has_its_point(report):
    assert points(report, "epochs") == 3 * 4
    assert points(report, "seconds") == 3 * 4
    assert points(report, "loss") == 2 * 3 * 4
    assert points(report, "lr") == 3 * 4
    assert points(report, "speed") == 3


def test_several_seeds_make_a_band(report):
    bands = report.js("""return document.getElementById("chart-epochs").data
        .filter((trace) => trace.fill === "tonexty")
        .map((trace) => trace.y.length)""")
    assert bands == [4]


def test_a_curve_is_picked_by_keyboard(report):
    box = report.all("#curves input")[1]
    box.send_keys(Keys.SPACE)
    wait(report, lambda: points(report, "epochs") == 2 * 4)
    assert points(report, "speed") == 2
    box.send_keys(Keys.SPACE)
    wait(report, lambda: points(report, "epochs") == 3 * 4)


def test_pointing_at_a_curve_tells_its_numbers(report):
    chart = report.one("#chart-epochs")
    report.js("arguments[0].scrollIntoView({block: 'center'})", chart)
    point = report.all("#chart-epochs .points path")[0]
    ActionChains(report.driver).move_to_element(point).perform()
    wait(report, lambda: report.all("#chart-epochs .hovertext"))
    words = report.one("#chart-epochs .hovertext").text
    assert "epoch 1" in words and "65 %" in words  # they coincide


def test_the_recipe_is_kept_in_the_address(report):
    other = [key for key in experiments(report) if key != MADE_UP]
    assert other, "results/ has a recipe beside the made-up one"
    report.one(f'#experiments input[value="{other[0]}"]').click()
    assert f"experiment={other[0]}" in report.driver.current_url
    report.driver.refresh()
    wait(report, lambda: points(report, "compile"))
    chosen = report.one("#experiments input:checked")
    assert chosen.get_attribute("value") == other[0]
    assert report.shown(".of-experiment") == 1


def test_charts_follow_the_theme(report):
    ink = """return getComputedStyle(
        document.querySelector("#chart-epochs .xtick text")).fill"""
    before = report.js(ink)
    report.one("button.theme").click()
    wait(report, lambda: report.js(ink) != before)


def test_charts_fit_a_narrow_screen(browser):
    browser.open(f"report.html?experiment={MADE_UP}", width=400)
    wait(browser, lambda: points(browser, "compile"))
    for chart in CHARTS:
        assert browser.one(f"#chart-{chart} .main-svg:first-child").size[
            "width"
        ] in range(300, 401)
