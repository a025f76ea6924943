"""Code in docs/ prints what stands behind it."""

import pytest

from parity_tests.programs.snippets import DOCS, SNIPPET, printed

FOUND = [
    (path.name, *match.groups()[1:])
    for path in sorted(DOCS.glob("*.md"))
    for match in SNIPPET.finditer(path.read_text())
]


def test_every_block_that_shows_output_is_run():
    """And every error of beginners is one of them."""
    text = (DOCS / "from_pytorch.md").read_text()
    assert text.count("```text") == len(FOUND) >= 8
    _, _, errors = text.partition("## Five errors")
    assert errors.count("<!-- runs in jax_flax -->") == 5


@pytest.mark.parametrize("framework", sorted({row[1] for row in FOUND}))
def test_a_snippet_prints_what_the_docs_say(framework, request):
    environments = request.config.getoption("--environments")
    found = printed(framework, environments)
    for file, name, code, said in FOUND:
        if name == framework:
            assert found[code] == said, f"docs/{file}: {code}"
