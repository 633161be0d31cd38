"""Read the register of refusals, REFUSALS.md; as a command, print how many rows it has."""

from pathlib import Path
from typing import Final, NamedTuple

from aws_emulator.errors import CommandError

REGISTER: Final = Path(__file__).with_name("REFUSALS.md")
_HEADER: Final = "| service | refusal | AWS page | test |"


class Refusal(NamedTuple):
    """A request that AWS refuses. `test` is a path below tests/, and a function: a.py::test_b."""

    service: str
    refusal: str
    page: str
    test: str


def read(path: Path = REGISTER) -> list[Refusal]:
    """Return the rows of the register's tables.

    Raises:
        CommandError: A row hasn't four cells.
    """
    rows: list[Refusal] = []
    inside = False
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        inside = line == _HEADER or (inside and line.startswith("|"))
        if not inside or line == _HEADER or set(line) <= {"|", "-"}:
            continue
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) != len(Refusal._fields):
            raise CommandError(
                f"Line {number} of {path.name} has {len(cells)} cells instead of "
                f"{len(Refusal._fields)}. Write {_HEADER}"
            )
        rows.append(Refusal(*(cell.strip("`") for cell in cells)))
    return rows


if __name__ == "__main__":
    refusals = read()
    services = len({row.service for row in refusals})
    print(f"refusals of AWS that the emulator repeats: {len(refusals)}, of {services} services")
