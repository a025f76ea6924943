"""The static site: the side-by-side reader and the report of the runs.

    python -m tools.site --out site --runs runs --results results

`contract.py` reads and aligns the three sources, `records.py` the runs;
`pages.py` puts them into `templates/`. The texts of the sections are
Markdown files in `sections/`. Nothing here imports a framework.
"""
