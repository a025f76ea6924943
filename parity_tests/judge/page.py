"""The ladder as a page, from the JSON report; it needs nothing else."""

import html
import json

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:80em;
margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #ddd;padding:.3em .6em;text-align:left;
vertical-align:top}th{background:#f4f4f4}.FAIL{background:#fbd5d5}
pre{background:#fbe9e7;padding:1em;white-space:pre-wrap}
.small{color:#666;font-size:12px;overflow-wrap:anywhere}"""


def line(cells: list, kind: str = "td", look: str = "") -> str:
    """A row of a table; its cells are escaped."""
    made = (f"<{kind}>{html.escape(str(cell))}</{kind}>" for cell in cells)
    return f'<tr class="{look}">{"".join(made)}</tr>'


def as_html(report: dict) -> str:
    """One page of a report that `as_data` made."""
    verdict = report["verdict"]
    lines = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>DavidNet parity: {verdict}</title>",
        f"<style>{STYLE}</style></head><body>",
        f"<h1>DavidNet parity: {verdict}</h1>",
    ]
    if report["problems"]:
        problems = html.escape("\n".join(report["problems"]))
        lines.append(f"<pre>{problems}</pre>")
    lines.append("<h2>The four claims</h2><table>")
    for row in report["mission"]:
        cells = [row[name] for name in ("what", "verdict", "numbers")]
        lines.append(line(cells, look=row["verdict"]))
    apart = ("worst tensor", "why", "reason")
    heads = [name for name in report["rows"][0] if name not in apart]
    lines += ["</table><h2>The ladder</h2><table>", line(heads, "th")]
    for row in report["rows"]:
        lines.append(line([row[name] for name in heads], look=row["verdict"]))
        why = f"{row['worst tensor']} Tolerance: {row['reason'] or row['why']}."
        lines.append(
            f'<tr><td></td><td colspan="{len(heads) - 1}" class="small">'
            f"{html.escape(why)}</td></tr>"
        )
    lines.append("</table><h2>Recorded runs</h2><ul>")
    lines += [f"<li>{html.escape(words)}</li>" for words in report["runs"]]
    lines.append("</ul><h2>Traces</h2><table>")
    for who, facts in report["traces"].items():
        lines.append(line([who, json.dumps(facts, indent=1)]))
    return "\n".join([*lines, "</table></body></html>", ""])
