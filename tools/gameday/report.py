"""Print a game day: the time line, recovery times, waits, and the checks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.gameday import page
from tools.gameday.acts import CONTINENTS, OPERATIONS
from tools.gameday.alarms import Rang
from tools.gameday.answers import Ledger
from tools.gameday.checks import Check
from tools.gameday.figures import (
    BUDGET_S,
    PHASES,
    Behind,
    Part,
    Scene,
    by_operation,
    marks,
    of_scene,
    out_s,
    percentile_ms,
    recovery_s,
    worst_out_s,
)
from tools.gameday.loss import NOT_REPLICATED
from tools.paths import ROOT

PAGE_FILE: Final = "gameday.html"
#: Seconds of a row of the time line.
ROW_S: Final = 2.0
_WIDTH: Final = 70


def show(
    seed: int,
    scenes: Sequence[Scene],
    ledger: Ledger,
    checks: Sequence[Check],
    rang: Sequence[Rang],
    path: Path,
    catalogue: Part | None = None,
    times: Sequence[str] = (),
) -> int:
    """Print the report and write its page. Returns 0 if every check passed, else 1.

    Args:
        seed: The seed of the acts.
        scenes: The acts on the school.
        ledger: The answers to the school's visitors, and all acknowledged writes.
        checks: The checks of the whole day.
        rang: The alarms of the acts on the school.
        path: The file of the page.
        catalogue: The acts on the course catalogue; None without it.
        times: The table of the phases' times, with its head.

    Raises:
        CommandError: The page can't be written.
    """
    title = f"Game day, seed {seed}: {len(ledger.answers):,} requests"
    failed = [it.name for it in checks if not it.passed]
    parts = [Part(scenes, ledger), *([catalogue] if catalogue else [])]
    tables = {
        head: lines
        for head, *lines in (
            *(recoveries(it) for it in parts),
            *(waits(it) for it in parts),
            *(budget(it) for it in parts),
            data_loss([scene for it in parts for scene in it.scenes], ledger, checks),
            alarms(rang),
            results(checks),
            *([times] if times else []),
        )
    }
    print(f"\n{title}\n")
    print("\n\n".join("\n".join(time_line(it)) for it in parts))
    for head, lines in tables.items():
        print("\n" + "\n".join([head, *lines]))
    page.write_page(path, page.page(title, failed, parts, tables))
    print(f"\nPage: {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")
    if failed:
        print(f"{len(failed)} checks failed. Repeat this day with `make gameday SEED={seed}`.")
        return 1
    print("Nothing acknowledged was lost, and each refusal said so.")
    return 0


def alarms(rang: Sequence[Rang]) -> list[str]:
    """Return the alarms of each act."""
    head = "Alarms that rang, by the deployed definitions on the day's metrics"
    lines = [f"  {it.act}: {', '.join(sorted(it.rang)) or 'none'}" for it in rang]
    return [head, *(lines or ["  not evaluated: the losses are too short"])]


def results(checks: Sequence[Check]) -> list[str]:
    """Return the checks, and examples of what failed."""
    lines = [f"{'Checks':<{_WIDTH - 10}}{'expected':>9}{'found':>9}"]
    for check in checks:
        mark = "✓" if check.passed else "✗"
        lines.append(f"  {check.name:<{_WIDTH - 12}}{check.expected:>9,}{check.actual:>9,}  {mark}")
        if not check.passed:
            lines += [f"      {it}" for it in check.examples]
    return lines


def time_line(part: Part) -> list[str]:
    """Return the time line: a row for two seconds, a column for each operation and continent."""
    heads = [it[: len(OPERATIONS[0]) + 6] for it in part.operations]
    widths = [max(len(it), 3) + 2 for it in heads]
    answers = by_operation(part.ledger.answers)
    lines = [
        f"Time line{_about(part)} (E Europe, A Asia; . served, x refused, / both, ~ waits)",
        f"{'':>7}" + "".join(f"{head:<{n}}" for head, n in zip(heads, widths, strict=True)),
        f"{'':>7}" + "".join(f"{'E A':<{n}}" for n in widths),
    ]
    for scene in part.scenes:
        lines.append(f"  {scene.act.name}")
        moment = scene.began
        while moment < scene.ended:
            end = moment + ROW_S
            cells = [
                " ".join(
                    marks(answers[operation, it], operation, it, moment, end) for it in CONTINENTS
                )
                for operation in part.operations
            ]
            row = "".join(f"{cell:<{n}}" for cell, n in zip(cells, widths, strict=True))
            note = ""
            if moment <= scene.lost < end:
                note = "← lost"
            elif moment <= scene.returned < end:
                note = "← returned"
            lines.append(f"{moment:5.0f} s {row}{note}".rstrip())
            moment = end
    return lines


def recoveries(part: Part) -> list[str]:
    """Return the recovery time of each act, operation and continent."""
    text = "seconds from the loss until the operation served again (- it never refused)"
    lines = [f"RTO{_about(part)}: {text}"]
    for scene in part.scenes:
        outage = scene.returned - scene.lost
        by_continent = {
            continent: {
                operation: recovery_s(scene, part.ledger.answers, operation, continent)
                for operation in part.operations
            }
            for continent in CONTINENTS
        }
        lines.append(f"  {scene.act.name} (lost for {outage:.0f} s)")
        for continent, times in by_continent.items():
            words = [f"{operation} {_recovery(it)}" for operation, it in times.items()]
            lines.append(f"    {continent:<7}{', '.join(words)}")
    return lines


def _recovery(seconds: float | None) -> str:
    if seconds is None:
        return "not yet"
    return f"{seconds:.1f}" if seconds else "-"


def waits(part: Part) -> list[str]:
    """Return p50 and p99 of all answers before, during and after each loss."""
    lines = [f"Waits in ms{_about(part)}, p50 / p99"]
    lines.append(f"  {'':<44}" + "".join(f"{it:>15}" for it in PHASES))
    for scene in part.scenes:
        own = of_scene(scene, part.ledger.answers)
        for continent in CONTINENTS:
            cells = []
            for phase in PHASES:
                answers = [
                    it for it in own if it.continent == continent and scene.phase(it.began) == phase
                ]
                shown = [percentile_ms(answers, share) for share in (0.5, 0.99)]
                cells.append(" / ".join("-" if it is None else f"{it:,.0f}" for it in shown))
            name = f"{scene.act.name[:35]}, {continent}"
            lines.append(f"  {name:<44}" + "".join(f"{it:>15}" for it in cells))
    return lines


def budget(part: Part) -> list[str]:
    """Return how much of a month's error budget of 99.9 % each operation has spent."""
    answers = part.ledger.answers
    refused = sum(not it.is_served for it in answers)
    operation, continent, seconds = worst_out_s(part)
    text = (
        f"Error budget{_about(part)}: {refused:,} of {len(answers):,} requests refused; a month at "
        f"99.9 % allows {BUDGET_S / 60:.1f} minutes"
    )
    lines = [text]
    for name in part.operations:
        words = []
        for continent in CONTINENTS:
            spent = out_s(part.scenes, answers, name, continent)
            words.append(f"{continent} {spent:.0f} s ({spent / BUDGET_S:.1%})")
        lines.append(f"  {name:<14}closed for {', '.join(words)}")
    lines.append(f"  longest: {operation} in {continent}, {seconds:.0f} s")
    return lines


def _about(part: Part) -> str:
    return f" of {part.subject}" if part.subject else ""


def data_loss(scenes: Sequence[Scene], ledger: Ledger, checks: Sequence[Check]) -> list[str]:
    """Return the acknowledged writes of each store, and how many are missing; also at each move.

    Args:
        scenes: The acts on the school and on the catalogue.
        ledger: All acknowledged writes.
        checks: The checks of the whole day.
    """
    written = {
        "events": len(ledger.events),
        "bookings": len(ledger.bookings),
        "sign-ups": len(ledger.sign_ups),
        "advisors": len(ledger.advisors),
        "preferences": len(ledger.profiles),
        "pages": len(ledger.acknowledged["pages"]),
        "courses": len(ledger.courses),
    }
    lines = ["RPO: acknowledged writes, and those that are missing after the return"]
    for store, number in written.items():
        missing = sum(it.actual for it in checks if it.missing_in == store)
        lines.append(f"  {store:<14}{number:>8,}{missing:>8,}")
    for scene in scenes:
        if scene.behind:
            lines.append(f"  {scene.act.name}: the promoted Region lacked, until the return")
            lines += [_lag(it) for it in scene.behind]
    return lines


def _lag(lacked: Behind) -> str:
    time = f", the last {lacked.seconds:.1f} s before the loss" if lacked.writes else ""
    where = " (not replicated: they stay in the lost Region)" if _stay(lacked) else ""
    return (
        f"    {lacked.store:<12}{lacked.writes:>6,} of {lacked.acknowledged:,} writes{time}{where}"
    )


def _stay(lacked: Behind) -> bool:
    return bool(lacked.writes) and lacked.store in NOT_REPLICATED
