"""The static site: the side-by-side reader and the report of the runs.

    python -m tools.site --out site --runs runs --results results

`contract.py` cuts the three sources, `bands.py` lays them beside each other,
`code.py` colors them; `groups.py` puts the runs together. `plan.py` holds what
was read, `reader.py` and `pages.py` put it into `templates/`, `words.py`
renders the Markdown files of `docs/`, `shots.py` takes pictures of the built
site. The texts of the sections are Markdown files in `sections/`. Nothing
here imports a framework.
"""
