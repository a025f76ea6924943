"""The reader: columns, tabs, notes, places."""

from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

READER = ("model", "data", "step", "checkpoint", "train")
CELL = '#ConvBN .cell[data-framework="{}"]'


def choice(browser) -> dict:
    """The query of the address."""
    return parse_qs(urlsplit(browser.driver.current_url).query)


def columns(browser) -> list[bool]:
    names = ("tensorflow_eager", "pytorch", "jax_flax")
    return [browser.one(CELL.format(n)).is_displayed() for n in names]


def test_columns_hide_and_come_back_and_the_address_keeps_it(browser):
    browser.open("read-model.html")
    assert columns(browser) == [True, True, True]
    wide = browser.one(CELL.format("jax_flax")).size["width"]
    box = browser.one(".columns input[value=pytorch]")
    box.send_keys(Keys.SPACE)
    assert columns(browser) == [True, False, True]
    assert browser.shown(".three [data-framework=pytorch]") == 0
    assert browser.shown(".three [data-framework=jax_flax]") > 0
    assert choice(browser) == {"show": ["tensorflow_eager,jax_flax"]}
    assert browser.one(CELL.format("jax_flax")).size["width"] > 1.4 * wide
    browser.driver.refresh()
    assert columns(browser) == [True, False, True]
    browser.one(".columns input[value=pytorch]").click()
    assert columns(browser) == [True, True, True]
    assert choice(browser) == {}


def test_the_choice_goes_along_to_the_next_file(browser):
    browser.open("read-data.html?show=jax_flax")
    browser.one("a[rel=prev]").click()
    assert "read-model.html?show=jax_flax" in browser.driver.current_url
    assert columns(browser) == [False, False, True]


def test_the_last_column_stays(browser):
    browser.open("read-model.html?show=pytorch")
    assert columns(browser) == [False, True, False]
    assert not browser.one(".columns input[value=pytorch]").is_enabled()


def test_an_address_with_nonsense_shows_all(browser):
    browser.open("read-model.html?show=caffe,%3Cb%3E&tab=theano")
    assert columns(browser) == [True, True, True]


def test_columns_are_tabs_at_400_pixels(browser):
    browser.open("read-model.html", width=400)
    assert browser.shown(".columns") == 0
    assert columns(browser) == [True, False, False]
    first = browser.one("#tab-tensorflow_eager")
    first.send_keys(Keys.ARROW_RIGHT)
    assert columns(browser) == [False, True, False]
    assert browser.js("return document.activeElement.id") == "tab-pytorch"
    assert choice(browser) == {"tab": ["pytorch"]}
    browser.driver.refresh()
    assert columns(browser) == [False, True, False]
    browser.one("#tab-jax_flax").click()
    assert columns(browser) == [False, False, True]
    chosen = browser.one("[role=tab][aria-selected=true]")
    assert chosen.get_attribute("id") == "tab-jax_flax"


def test_a_note_opens_and_closes_by_keyboard(browser):
    browser.open("read-step.html")
    mark = browser.all("a.mark[data-slug=nesterov-lr]")[0]
    mark.send_keys(Keys.ENTER)
    note = browser.one("#note")
    assert note.is_displayed()
    for words in (
        "nesterov-lr",
        "TensorFlow by itself",
        "inside the velocity",
        "What goes wrong",
        "Proven by",
        "rung 6",
    ):
        assert words in note.text
    browser.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not note.is_displayed()
    assert browser.js("return document.activeElement === arguments[0]", mark)
    mark.send_keys(Keys.ENTER)
    browser.one("#note .close").send_keys(Keys.ENTER)
    assert not note.is_displayed()


@pytest.mark.parametrize("page", READER)
def test_every_mark_opens_its_own_row(browser, page):
    browser.open(f"read-{page}.html")
    wrong = browser.js("""
        return [...document.querySelectorAll("a.mark")].filter((mark) => {
          mark.click();
          const note = document.getElementById("note");
          const right = note.open && note.innerText.includes("Proven by")
            && note.querySelector("h3").textContent === mark.textContent;
          note.close();
          return !right;
        }).map((mark) => mark.outerHTML)""")
    assert wrong == []


def test_no_line_of_code_is_cut_off(browser):
    for width in (400, 1440):
        browser.open("read-model.html", width=width)
        cut = browser.js("""
            return [...document.querySelectorAll(".l code")]
              .filter((e) => e.checkVisibility())
              .filter((e) => e.scrollWidth > e.clientWidth)
              .map((e) => e.textContent)""")
        assert cut == [], width


def test_a_number_leads_to_the_line_of_the_file(browser):
    browser.open("read-model.html")
    link = browser.all("#ResBlock .n")[3]
    number = link.text
    browser.js("arguments[0].click()", link)
    assert browser.driver.current_url.endswith(
        f"src/frameworks-tensorflow_eager-model.html#L{number}"
    )
    assert browser.one(f"#L{number}").is_displayed()


def test_a_place_in_the_head_of_a_file_is_unfolded(browser):
    browser.open("read-model.html#head")
    assert browser.one(".headpart").get_attribute("open") is not None
