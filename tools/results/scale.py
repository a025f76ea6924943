"""The table of first epochs, trained as one process and as two."""

from common.environments import FRAMEWORKS, TITLES
from tools.bench.sheet import markdown_table
from tools.launch.first_epoch import ALONE, WHOLE, Training, differences
from tools.results.publish import FIRST_EPOCH, losses_of
from tools.results.reports import FirstEpoch, read_report


def first_epoch_table() -> str:
    """The losses of one process and of two, and how far they are apart."""
    report = read_report(FIRST_EPOCH, FirstEpoch)
    losses = losses_of(report)
    rows = []
    for precision, (machine, *_) in ALONE.items():
        for framework in FRAMEWORKS:
            one = Training(framework, precision, 1, machine)
            two, elsewhere = differences(losses, framework, precision)
            rows.append(
                (
                    *(TITLES[framework], precision, f"{one.images:,}"),
                    f"{losses[one]:.4f}",
                    f"{losses[Training(framework, precision, 2)]:.4f}",
                    share(two),
                    " and ".join(map(share, elsewhere)),
                )
            )
    heads = ("framework", "precision", "images", "one process", "two processes")
    heads += ("two beside one", "one beside itself, rounding otherwise")
    double = [
        loss
        for training, loss in losses.items()
        if (training.precision, training.images) == ("float64", WHOLE)
    ]
    apart = max(double) / min(double) - 1
    return (
        markdown_table(heads, rows) + "\n\nIn float64 the largest difference "
        f"between any two of the {len(double)} trainings on all images is "
        f"{share(apart)}. On {report.machine}, commit "
        f"{report.git_commit[:7]}."
    )


def share(value: float) -> str:
    """A difference in percent, or as a power of ten where that is 0.00%."""
    return f"{value:.2%}" if value >= 5e-5 else f"{value:.0e}"
