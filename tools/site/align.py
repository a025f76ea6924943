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

    Names of the contract come in its order, which test_mirror.py checks; a
    name that stands alone comes after the same shared name as in its file.
    """
    rows = {name: Row(name) for name in names}
    order = list(names)
    for framework, pieces in columns.items():
        place = 0
        for piece in pieces:
            why = alone.get((framework, file, piece.name))
            if why is not None and piece.name not in rows:
                rows[piece.name] = Row(piece.name)
                order.insert(place, piece.name)
            if piece.name not in rows:
                raise BuildError(
                    f"{piece.path}: section {section}: {piece.name} is not "
                    f"in the contract of {CONTRACT_FILE}"
                )
            if why is not None:
                rows[piece.name].why[framework] = why
            rows[piece.name].pieces[framework] = piece
            place = order.index(piece.name) + 1
        missing = {*names} - {piece.name for piece in pieces}
        if missing:
            raise BuildError(
                f"frameworks/{framework}/{file}: section {section}: "
                f"{min(missing)} is missing; {CONTRACT_FILE} asks for it"
            )
    return [rows[name] for name in order]
