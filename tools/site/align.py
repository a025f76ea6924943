"""The pieces of the three sources, lined up by public name."""

from pathlib import Path

from tools.site.contract import (
    CONTRACT_FILE,
    FRAMEWORKS,
    HEAD,
    ROOT,
    BuildError,
    Piece,
    Row,
    Section,
    cut,
    read_contract,
    source,
)


def sections(root: Path = ROOT) -> list[Section]:
    """All sections of the mirror, aligned. Raises BuildError.

    The head of each file, its docstring and imports, comes first, under
    the name `HEAD`.
    """
    contract, found = read_contract(root), []
    for file, wanted in contract.files.items():
        pieces = {
            framework: cut(framework, file, source(framework, file, root))
            for framework in FRAMEWORKS
        }
        for name in (HEAD, *wanted):
            for framework in FRAMEWORKS:
                if name not in pieces[framework]:
                    raise BuildError(
                        f"frameworks/{framework}/{file}: section {name} is "
                        f"missing; {CONTRACT_FILE} asks for it"
                    )
            columns = {f: pieces[f][name] for f in FRAMEWORKS}
            names = [HEAD] if name == HEAD else wanted[name]
            rows = align(file, name, names, columns, contract.alone)
            found.append(Section(file, name, rows))
    return found


def align(
    file: str,
    section: str,
    names: list[str],
    columns: dict[str, list[Piece]],
    alone: dict[tuple[str, str, str], str],
) -> list[Row]:
    """Rows in which each name stands beside itself. Raises BuildError.

    Names of the contract come in its order; a name that stands alone comes
    after the same shared name as in its own file.
    """
    gaps: list[dict[str, Row]] = [{} for _ in range(len(names) + 1)]
    shared = {name: Row(name) for name in names}
    for framework, pieces in columns.items():
        place = 0
        for piece in pieces:
            why = alone.get((framework, file, piece.name))
            if why is not None:
                row = gaps[place].setdefault(piece.name, Row(piece.name))
                row.why[framework] = why
                row.pieces[framework] = piece
                continue
            if place == len(names) or piece.name != names[place]:
                _complain(piece, section, names, pieces, place)
            shared[piece.name].pieces[framework] = piece
            place += 1
        if place < len(names):
            raise BuildError(
                f"frameworks/{framework}/{file}: section {section}: "
                f"{names[place]} is missing; {CONTRACT_FILE} asks for it"
            )
    rows = list(gaps[0].values())
    for name, gap in zip(names, gaps[1:], strict=True):
        rows += [shared[name], *gap.values()]
    return rows


def _complain(piece: Piece, section, names, pieces, place) -> None:
    """Raise the BuildError for a name that is not where it should be."""
    where = f"{piece.path}: section {section}: "
    present = {p.name for p in pieces}
    if place < len(names) and names[place] not in present:
        what = f"{names[place]} is missing; {CONTRACT_FILE} asks for it"
    elif piece.name not in names:
        what = f"{piece.name} is not in the contract of {CONTRACT_FILE}"
    else:
        what = f"{piece.name} is out of order; expected {', '.join(names)}"
    raise BuildError(where + what)
