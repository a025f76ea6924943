"""The reader: columns, tabs, notes, places."""

from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tools.site.contract import CONTRACT, ROOT

READER = [file.removesuffix(".py") for file in CONTRACT]
CELL = '#ConvBN .cell[data-framework="{}"]'


def choice(browser) -> dict:
    """The query of the address."""
    return parse_qs(urlsplit(browser.driver.current_url).query)


def columns(browser) -> list[bool]:
    names = ("tensorflow_eager", "pytorch", "jax_flax")
    return [browser.one(CELL.format(n)).is_displayed() for n in names]


def test_columns_hide_and_come_back_and_the_address_keeps_it(browser):
    browser.open("read-model.html", width=1920)
    assert columns(browser) == [True, True, True]
    wide = browser.one(CELL.format("jax_flax")).size["width"]
    browser.one(".columns input[value=pytorch]").send_keys(Keys.SPACE)
    assert columns(browser) == [True, False, True]
    assert browser.shown(".three [data-framework=pytorch]") == 0
    assert browser.shown(".three [data-framework=jax_flax]") > 0
    assert choice(browser) == {"show": ["tensorflow_eager,jax_flax"]}
    assert browser.one(CELL.format("jax_flax")).size["width"] > 1.4 * wide
    browser.driver.refresh()
    assert columns(browser) == [True, False, True]
    browser.one(".columns input[value=pytorch]").click()
    assert columns(browser) == [True, True, True]


@pytest.mark.parametrize(
    ("width", "shown"), [(800, 2), (900, 2), (1440, 2), (1500, 3), (1920, 3)]
)
def test_as_many_columns_are_shown_as_fit(browser, width, shown):
    browser.open("read-model.html", width=width)
    assert columns(browser) == [shown == 3, True, True]


def test_the_columns_chosen_last_are_shown_again(browser):
    browser.open("read-model.html")
    for name in ("tensorflow_eager", "jax_flax"):
        browser.one(f".columns input[value={name}]").click()
    browser.open("read-data.html")
    cells = "#normalize .cell"
    shown = [e.is_displayed() for e in browser.all(cells)]
    assert shown == [True, True, False]


def arrives(browser, address):
    WebDriverWait(browser.driver, 60).until(
        lambda driver: address in driver.current_url
    )


def test_the_choice_goes_along_to_the_next_file(browser):
    browser.open("read-data.html?show=jax_flax")
    browser.one("a[rel=prev]").click()
    arrives(browser, "read-model.html?show=jax_flax")
    assert columns(browser) == [False, False, True]


def test_the_last_column_stays(browser):
    browser.open("read-model.html?show=pytorch")
    assert columns(browser) == [False, True, False]
    assert not browser.one(".columns input[value=pytorch]").is_enabled()


def test_an_address_with_nonsense_shows_all(browser):
    browser.open("read-model.html?show=caffe,%3Cb%3E&tab=theano")
    assert columns(browser) == [False, True, True]


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


LINES = """
const code = [...document.querySelectorAll("section .trio .l code")]
  .filter((e) => e.checkVisibility() && e.textContent.trim());
const high = (e) => e.getBoundingClientRect().height
  > 1.5 * parseFloat(getComputedStyle(e).lineHeight);
const cut = (e) => e.scrollWidth > e.clientWidth && !e.closest("summary");
return [code.length, code.filter(high).length,
        code.filter(cut).map((e) => e.textContent)];
"""
ALL = "?show=tensorflow_eager,pytorch,jax_flax"


@pytest.mark.parametrize(
    ("width", "query", "most"),
    # Percent of the lines that wrap; on a phone a column has 50 characters.
    [
        *((400, "", 50), (900, "", 30), (1440, "", 3)),
        *((1440, ALL, 10), (1920, "", 3)),
    ],
)
def test_few_lines_of_code_wrap_and_none_is_cut_off(
    browser, width, query, most
):
    lines = wrapped = 0
    for page in READER:
        browser.open(f"read-{page}.html{query}", width)
        found = browser.js(LINES)
        lines, wrapped = lines + found[0], wrapped + found[1]
        assert found[2] == [], page
        sideways = "return document.documentElement.scrollWidth"
        assert browser.js(sideways) <= width
    assert 100 * wrapped / lines <= most, f"{wrapped} of {lines} lines"


def tops(browser, words: str) -> set[int]:
    """At how many heights lines of train_step begin with these words."""
    return {
        round(top)
        for top in browser.js(
            """return [...document.querySelectorAll("#train_step .l")]
            .filter((e) => e.checkVisibility())
            .filter((e) => e.querySelector("code").textContent.trim()
                            .startsWith(arguments[0]))
            .map((e) => e.getBoundingClientRect().top)""",
            words,
        )
    }


@pytest.mark.parametrize("query", ["", ALL])
def test_the_stages_of_a_step_stand_beside_each_other(browser, query):
    browser.open(f"read-step.html{query}", width=1920)
    for words in ("# 1 forward", "loss, correct =", "# 2 gradient"):
        assert len(tops(browser, words)) == 1, words
    for words in ("# 3 update", "return state", "def train_step"):
        assert len(tops(browser, words)) == 1, words


def test_docstrings_fold_and_one_switch_opens_them_all(browser):
    browser.open("read-model.html")
    lines = len(browser.all("section .doc .l"))
    heads = len(browser.all("section .doc summary .l"))
    assert browser.shown("section .doc .l") < heads < lines
    height = browser.one("#ConvBN").size["height"]
    browser.one("button.docs").send_keys(Keys.ENTER)
    assert browser.one("#ConvBN").size["height"] > height
    browser.one("body").send_keys("d")
    assert browser.one("#ConvBN").size["height"] == height


def test_the_head_of_a_file_is_open(browser):
    browser.open("read-step.html?show=pytorch")
    assert "Here:" in browser.one("#head [data-framework=pytorch]").text


def tinted(browser, name: str) -> set[str]:
    """The words of a name that are tinted, in the columns that are shown."""
    return set(
        browser.js(
            """return [...document.querySelectorAll(
              `#${arguments[0]} code span`)]
            .filter((e) => e.checkVisibility())
            .filter((e) => getComputedStyle(e).backgroundColor
                            !== "rgba(0, 0, 0, 0)")
            .map((e) => e.textContent.trim())""",
            name,
        )
    )


def test_a_tint_shows_what_only_one_column_has(browser):
    browser.open(f"read-train.html{ALL}")
    assert tinted(browser, "evaluate") == set()
    browser.open("read-data.html?show=pytorch,jax_flax")
    assert {"Tensor", "Array", "masked_fill"} <= tinted(browser, "cutout")
    assert "rows" not in tinted(browser, "cutout")
    # Of PyTorch alone; TensorFlow has tf.Tensor.
    browser.open("read-data.html?show=tensorflow_eager,pytorch")
    assert "Tensor" not in tinted(browser, "cutout")


def test_n_and_p_go_from_difference_to_difference(browser):
    browser.open("read-data.html?show=pytorch,jax_flax")
    body = browser.one("body")

    def here() -> str:
        return "".join(e.text for e in browser.all(".here"))

    seen = []
    for _ in range(6):
        body.send_keys("n")
        seen.append(here())
        assert browser.one(".here:focus").is_displayed()
    assert len(set(seen)) == 6
    body.send_keys("p")
    assert here() == seen[-2]
    browser.one("button.next").click()
    assert here() == seen[-1]


def test_a_search_finds_a_call_in_all_files(browser):
    browser.open("read-model.html")
    browser.one("body").send_keys("/")
    field = browser.driver.switch_to.active_element
    field.send_keys("value_and_grad(loss_fn")
    WebDriverWait(browser.driver, 60).until(
        lambda _: len(browser.all("#search a")) == 1
    )
    field.send_keys(Keys.ENTER)
    arrives(browser, "read-step.html")
    line = browser.one(".l:target")
    assert line.is_displayed() and "jax.value_and_grad" in line.text
    browser.one("body").send_keys("/")
    field = browser.driver.switch_to.active_element
    field.send_keys("no such words")
    WebDriverWait(browser.driver, 60).until(
        lambda _: browser.one("#search ol").text == "Nothing found."
    )
    field.send_keys(Keys.ESCAPE)
    assert not browser.one("#search").is_displayed()


def test_a_link_to_a_line_shows_its_column_and_unfolds(browser):
    browser.open("read-step.html?show=pytorch")
    number = browser.one("#Nesterov .doc > .l:last-child").get_attribute("id")
    browser.open(f"read-step.html?show=pytorch#{number}")
    assert browser.one(f"#{number}").is_displayed()
    line = browser.js(
        "return document.querySelector('#train_step "
        "[data-framework=jax_flax] .l').id"
    )
    browser.open(f"read-step.html?show=pytorch#{line}")
    assert browser.one(f"#{line}").is_displayed()
    link = browser.one(f"#{line} .n")
    assert link.get_attribute("href").endswith(f"#{line}")


def test_a_lone_helper_folds_and_says_what_the_others_use(browser):
    browser.open("read-step.html")
    lone = browser.one("details.lone")
    assert "torch.optim.SGD and optax.trace" in lone.text
    assert not browser.one("#Nesterov").is_displayed()
    browser.js("arguments[0].open = true", lone)
    # TensorFlow is not among the columns that are shown.
    assert browser.one("#Nesterov .cell").is_displayed()
    browser.js("arguments[0].open = false", lone)
    before = browser.js("return arguments[0].previousElementSibling.id", lone)
    assert before == "make_optimizer"


def test_a_copy_has_the_lines_and_no_numbers(browser):
    browser.open("read-model.html?show=pytorch")
    browser.js("""navigator.clipboard.writeText = (text) => {
                    window.copied = text; return Promise.resolve(); }""")
    browser.one("#count_correct [data-framework=pytorch] .copy").click()
    copied = browser.js("return window.copied")
    source = (ROOT / "frameworks" / "pytorch" / "model.py").read_text()
    assert copied.startswith("def count_correct(") and copied in source


def test_a_call_leads_to_its_documentation(browser):
    browser.open(f"read-step.html{ALL}")
    links = {e.text: e.get_attribute("href") for e in browser.all("a.api")}
    assert "pytorch.org" in links["torch.optim.SGD"]
    assert "tensorflow.org" in links["tf.GradientTape"]
    assert "optax" in links["optax.trace"] and "flax" in links["nnx.split"]
