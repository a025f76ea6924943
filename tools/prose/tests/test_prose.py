"""The check of the prose, and what it says of this repository."""

import pytest

from tools.prose.__main__ import main, problems, read_table

TABLE = read_table()


def found(path: str, text: str) -> list[str]:
    return list(problems(path, text, TABLE))


def test_the_prose_of_this_repository_has_no_word_of_the_table(capsys):
    assert main([]) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    ["# of right answers\n", 'def f():\n    """Right\n    answers."""\n'],
    ids=["comment", "docstring"],
)
def test_comments_and_docstrings_are_read(text):
    (line,) = found("a.py", text)
    assert "say correct predictions" in line


def test_a_comment_is_read_over_its_lines_and_the_first_one_is_named():
    (line,) = found("a.py", "x = 1\n# the right\n# answers\n")
    assert line.startswith("a.py:2: ")


@pytest.mark.parametrize("words", ["hand-over", "hand over", "handed over"])
def test_a_pattern_of_several_spellings_finds_each(words):
    (line,) = found("a.md", f"A {words} of weights.\n")
    assert "say checkpoint exchange" in line


def test_code_of_python_is_not_read():
    assert not found("a.py", 'alive = "right answers"\n')


@pytest.mark.parametrize(
    "text",
    [
        "a `hand-over` in code\n",
        "```\nright answers\n```\n",
        "text:\n\n    right answers\n",
        "<!-- x-y: start -->\n| alive |\n<!-- x-y: end -->\n",
        "[words](right answers)\n",
    ],
)
def test_code_addresses_and_printed_tables_of_markdown_are_not_read(text):
    assert not found("a.md", text)
    (line,) = found("a.md", text + "\nMore right answers.\n")
    assert line.startswith(f"a.md:{text.count(chr(10)) + 2}: ")
