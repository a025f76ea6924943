"""The tables of a report: limits, speeds, the peers, scale; and its noise."""

import statistics

from common.environments import TITLES
from common.recipe import Recipe
from tools.bench.count import gflop_per_image
from tools.bench.plan import DROPOUT_RATE, WORLDS
from tools.bench.report import (
    PEERS,
    epoch_cost,
    find,
    limits_shown,
    share_of_limit,
)
from tools.bench.sheet import NOTHING, Sheet
from tools.bench.stats import MARK, NOISE_LIMIT, noise, shown


def limits_sheet(report: dict) -> Sheet:
    """The limits, and the images/s that they come to."""
    sheet = Sheet(
        "Limit of the machine",
        ["precision", "what, alone", "GFLOP/s", "images/s at width 64"],
    )
    gflop = gflop_per_image(Recipe(width=64))
    for row in limits_shown(report["limits"]):
        sheet.rows.append(
            [
                row["precision"],
                row["what"],
                shown(row["gflops"]),
                f"{statistics.median(row['gflops']) / gflop:,.0f}",
            ]
        )
    return sheet


def speeds_sheet(report: dict) -> Sheet:
    """The main table: a row for each training without dropout."""
    rows = report["rows"]
    sheet = Sheet(
        "Images per second, median and range",
        [
            "framework, mode",
            "width",
            "precision",
            "step",
            "of limit",
            "epoch",
            "of limit",
            "epoch over step",
            "compile, s",
            "start-up, s",
            "memory, GB",
        ],
    )
    for step in rows:
        if step["what"] != "step" or step["dropout_rate"]:
            continue
        epoch = find(rows, step, what="epoch")
        memory = max(step["peak_memory_bytes"])
        sheet.rows.append(
            [
                f"{TITLES[step['framework']]}, {step['mode']}",
                f"{step['width']}",
                step["precision"],
                shown(step["images_per_second"]),
                f"{share_of_limit(step, report['limits']):.0%}",
                shown(epoch["images_per_second"]),
                f"{share_of_limit(epoch, report['limits']):.0%}",
                f"{epoch_cost(rows, step):+.1%}",
                f"{statistics.median(step['compile_seconds']):.1f}",
                f"{statistics.median(step['startup_seconds']):.1f}",
                f"{memory / 1e9:.1f}",
            ]
        )
    return sheet


def dropout_sheet(report: dict) -> Sheet:
    """Bare steps with dropout beside the same without."""
    rows = report["rows"]
    heads = ["framework, mode", "width", "precision", "no dropout"]
    heads += [f"dropout {DROPOUT_RATE:g}", "a step takes longer by"]
    sheet = Sheet("What dropout costs: images per second of a step", heads)
    for step in rows:
        if step["what"] != "step" or not step["dropout_rate"]:
            continue
        bare = find(rows, step, dropout_rate=0)
        with_dropout = step["images_per_second"]
        without = bare["images_per_second"]
        ratio = statistics.median(without) / statistics.median(with_dropout)
        sheet.rows.append(
            [
                f"{TITLES[step['framework']]}, {step['mode']}",
                *(f"{step['width']}", step["precision"]),
                *(shown(without), shown(with_dropout), f"{ratio - 1:.0%}"),
            ]
        )
    return sheet


def peers_sheet(report: dict) -> Sheet:
    """What one would take instead, beside our epochs in that framework."""
    rows = report["rows"]
    heads = ["instead of this project", "its epoch"]
    heads += ["our epoch, eager", "over it", "our epoch, compiled", "over it"]
    sheet = Sheet("The same network elsewhere, images per second", heads)
    for peer in rows:
        if peer["what"] not in PEERS:
            continue
        speed = statistics.median(peer["images_per_second"])
        cells = [
            f"{TITLES[peer['framework']]}, {PEERS[peer['what']]}",
            shown(peer["images_per_second"]),
        ]
        for mode in ("eager", "compiled"):
            ours = find(rows, peer, what="epoch", mode=mode)
            if ours is None:
                cells += [NOTHING, NOTHING]
                continue
            values = ours["images_per_second"]
            ratio = statistics.median(values) / speed
            cells += [shown(values), f"{ratio:.1f} times"]
        sheet.rows.append(cells)
    return sheet


def scale_sheet(report: dict) -> Sheet:
    """Bare steps against width, batch and threads."""
    sheet = Sheet(
        "Against width, batch and threads: images per second",
        ["framework, mode", "width", "batch", "threads", "step", "of limit"],
    )
    for row in report["scale"]:
        if row["what"] == "step":
            sheet.rows.append(
                [
                    f"{TITLES[row['framework']]}, {row['mode']}",
                    f"{row['width']}",
                    f"{row['batch_size']:,}",
                    f"{row['threads']}",
                    shown(row["images_per_second"]),
                    f"{share_of_limit(row, report['limits']):.0%}",
                ]
            )
    return sheet


def world_sheet(report: dict) -> Sheet:
    """Steps and batches of one process, and of two that share a batch."""
    named = [
        f"{processes} process{'es' * (processes > 1)}, {threads} "
        f"thread{'s' * (threads > 1)}" + " each" * (processes > 1)
        for processes, threads in WORLDS
    ]
    heads = ["framework, mode", "width", "what", *named]
    title = "One process, and two that share a batch: images per second"
    sheet = Sheet(title, [*heads, "two processes over two threads"])
    rows = report.get("world", [])
    for row in rows:
        if (row["processes"], row["threads"]) != WORLDS[0]:
            continue
        speeds = [
            find(rows, row, processes=p, threads=t)["images_per_second"]
            for p, t in WORLDS
        ]
        _, threads, processes = map(statistics.median, speeds)
        sheet.rows.append(
            [
                f"{TITLES[row['framework']]}, {row['mode']}",
                *(f"{row['width']}", row["what"], *map(shown, speeds)),
                f"{processes / threads:.0%}",
            ]
        )
    return sheet


def kernels_sheet(profile: dict) -> Sheet:
    """The kernels of a profiled step that took longest."""
    heads = ["kernel", "calls", "ms", "of the step"]
    step = profile["step_milliseconds"]
    rows = [
        [
            row["kernel"],
            f"{row['calls']}",
            f"{row['milliseconds']:,.1f}",
            f"{row['milliseconds'] / step:.0%}",
        ]
        for row in profile["kernels"]
    ]
    mode = PEERS["keras fit"] if profile["mode"] == "keras" else profile["mode"]
    title = f"{TITLES[profile['framework']]}, {mode}, "
    title += f"width {profile['width']}, {profile['precision']}: "
    title += f"a step of {step:,.0f} ms, with {profile['milliseconds']:,.0f} ms"
    return Sheet(f"{title} of kernels", heads, rows)


def noise_line(report: dict) -> str:
    """Whether the figures can be trusted, in one sentence."""
    found = report["machine"]["noise"]
    shown_ones = limits_shown(report["limits"])
    worst = max(shown_ones, key=lambda row: noise(row["gflops"]))
    name = f"{worst['what']}, {worst['precision']}"
    moved = f"limit ({name}) moved by {found:.0%}"
    marks = f"{MARK} marks rows whose repeats lie further apart"
    if found > NOISE_LIMIT:
        return (
            f"The machine was too noisy to trust: its {moved} during the run "
            f"(more than {NOISE_LIMIT:.0%}). {marks}."
        )
    return (
        f"The machine's {moved} during the run (at most {NOISE_LIMIT:.0%} is "
        f"trusted); {marks}."
    )


def sheets(report: dict) -> list[Sheet]:
    """All tables that this report has rows for."""
    makers = (limits_sheet, speeds_sheet, dropout_sheet, peers_sheet)
    makers += (scale_sheet, world_sheet)
    made = [make(report) for make in makers]
    made += map(kernels_sheet, report["profiles"])
    return [sheet for sheet in made if sheet.rows]
