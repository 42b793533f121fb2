"""The command `armillary status`: everything that an operator looks at first, on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from armillary.commands.tables import size
from armillary.commands.terminal import DEFAULT_DATA, DataOption, JsonOption, is_up, out, print_json, run

if TYPE_CHECKING:
    from armillary.context import Context
    from armillary.operations.models import ContestedName, Disk, Failure, HeldOrders, Status, WorkerLine

SILENT_S = 20.0
LITTLE, VERY_LITTLE = 0.1, 0.03
"""Parts of a disk below which its room is shown as a warning, and as an alarm."""
LONG_S = 3600.0
"""An order that waits for longer is worth a look."""
BAR = 20


def status(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Show the status of the archive: versions, queues, workers, last failures, disk space."""
    from armillary.operations.service import status_of, status_to_json

    async def action(context: Context) -> Status:
        return await status_of(context)

    found = run(data, action)
    if as_json:
        print_json({"up": is_up(data), **status_to_json(found)})
        return
    out.print(Group(*_screen(found, up=is_up(data))), soft_wrap=False)


def _screen(one: Status, *, up: bool) -> Iterator[RenderableType]:
    yield _head(one, up=up)
    yield Text()
    yield _queues(one)
    if one.oldest and one.oldest.age_s > LONG_S:
        old = one.oldest
        why = f": {_cut(old.error)}" if old.error else ""
        text = (
            f"  oldest: order {old.id}, {old.kind} {old.file}, {_age(old.age_s)}, attempt {old.attempts}{why}"
        )
        yield Text(_shown(text), style="yellow")
    yield from map(held_orders, one.held)
    yield Text()
    yield _workers(one.workers)
    yield Text()
    yield _disks(one.disks)
    if one.unclaimed:
        yield Text()
        yield _unclaimed(one.unclaimed)
    if one.contested:
        yield Text()
        yield _contested(one.contested)
    if one.destinations:
        yield Text()
        yield _destinations(one)
    yield Text()
    yield _failures(one.failures, one.failed, one.at)


def _head(one: Status, *, up: bool) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    state = Text("running", style="bold green") if up else Text("not running", style="bold yellow")
    grid.add_row(Text(f"Armillary {one.version}", style="bold"), state)
    about = "" if one.totals.exact else "about "
    totals = one.totals
    grid.add_row(
        Text("archive", style="dim"),
        f"{about}{totals.files:,} files, {totals.versions:,} versions, {size(totals.bytes)}",
    )
    schema = f"schema {one.schema}" + ("" if one.schema == one.schema_known else f" (not {one.schema_known})")
    grid.add_row(
        Text("database", style="dim"), f"PostgreSQL {one.postgresql}, {schema}, {size(one.database_bytes)}"
    )
    return grid


def _table(title: str, *columns: str) -> Table:
    """Return an empty table; headings that begin with ``>`` stand over numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    table.add_column(Text(title, style="bold not dim"), no_wrap=True)
    for column in columns:
        number = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if number else "left", no_wrap=True)
    return table


def _queues(one: Status) -> RenderableType:
    if not one.queues:
        return Text.assemble(("QUEUE", "bold"), "  ", ("empty", "green"))
    table = _table("QUEUE", ">waiting", ">again", ">held", ">started", ">oldest", ">longest run")
    for queue in one.queues:
        oldest = queue.oldest_waiting_s
        table.add_row(
            Text(_shown(queue.kind)),
            _number(queue.waiting),
            _number(queue.again, style="yellow"),
            _number(queue.held, style="bold red"),
            _number(queue.started, style="green"),
            Text(_age(oldest), style="yellow" if (oldest or 0) > LONG_S else ""),
            _age(queue.oldest_started_s),
        )
    return table


def held_orders(one: HeldOrders) -> RenderableType:
    orders = (
        f"order {one.first} waits"
        if one.orders == 1
        else f"{one.orders:,} orders wait, the first {one.first}"
    )
    head = Text(
        _shown(f"  {one.place}: {orders} for {_age(one.age_s)}, without counting attempts"), style="bold red"
    )
    return Group(head, Padding(Text(_shown(_cut(one.reason)), style="red"), (0, 0, 0, 10)))


def _workers(workers: Sequence[WorkerLine]) -> RenderableType:
    none = Text.assemble(("WORKERS", "bold"), "  ", ("none alive: nothing will be done", "bold red"))
    if not workers:
        return none
    table = _table("WORKERS", "process", ">slots", ">orders", ">up", "")
    for worker in workers:
        process = f"{worker.pid or '?'}" + (f" on {worker.host}" if worker.host else "")
        table.add_row(
            Text(_shown(worker.name)),
            Text(_shown(process), style="dim"),
            _number(worker.slots),
            _number(worker.leases),
            _age(worker.up_s),
            _standing(worker),
        )
    return table if any(worker.alive for worker in workers) else Group(none, table)


def _standing(worker: WorkerLine) -> Text:
    match worker.alive:
        case None:
            return Text("a command", style="dim")
        case False:
            return Text("died; its orders come back", style="red")
    if (worker.seen_s or 0) > SILENT_S:
        return Text(f"silent for {_age(worker.seen_s)}", style="bold red")
    return Text("alive", style="green")


def _disks(disks: Sequence[Disk]) -> RenderableType:
    table = _table("DISKS", ">free", "", "directory")
    for disk in disks:
        if disk.free is None or not disk.size:
            table.add_row(Text(_shown(disk.name)), Text("?", style="red"), "", Text(_shown(disk.path)))
            continue
        part = disk.free / disk.size
        style = "red" if part < VERY_LITTLE else "yellow" if part < LITTLE else "green"
        used = round(BAR * (1 - part))
        bar = Text.assemble(("█" * used, style), ("░" * (BAR - used), "dim"))
        table.add_row(
            Text(_shown(disk.name)),
            Text(size(disk.free), style=style),
            bar,
            Text(_shown(disk.path), style="dim", overflow="ellipsis"),
        )
    return table


def _unclaimed(names: Sequence[str]) -> RenderableType:
    table = _table("READ ONLY", "until")
    for name in names:
        table.add_row(Text(_shown(name)), Text(f"armillary root claim {_shown(name)}", style="yellow"))
    return table


def _contested(names: Sequence[ContestedName]) -> RenderableType:
    lines = [Text.assemble(("SEVERAL FILES OF ONE NAME", "bold"), ("  searches find only the last", "dim"))]
    for one in names:
        places = Text(_shown(_cut(", ".join(one.places))), style="yellow")
        lines += [Text(_shown(one.name), style="red"), places]
    return Group(*lines)


def _destinations(one: Status) -> RenderableType:
    table = _table("EXPORTS", "")
    for destination in one.destinations:
        state = Text("stopped", style="dim") if not destination.active else Text("ready", style="green")
        if destination.away_until and destination.away_until > one.at:
            state = Text(f"away: {_shown(_cut(destination.error))}", style="yellow")
        table.add_row(Text(_shown(destination.name)), state)
    return table


def _failures(failures: Sequence[Failure], failed: int, now: datetime) -> RenderableType:
    if not failures:
        return Text.assemble(("FAILURES", "bold"), "  ", ("none", "green"))
    lines: list[RenderableType] = [
        Text.assemble(("FAILURES", "bold"), (f"  the last {len(failures)} of {failed:,}", "dim"))
    ]
    for one in failures:
        ago = _age((now - one.finished).total_seconds())
        lines.append(
            Text.assemble(
                (f"{ago} ago".ljust(10), "dim"),
                (_shown(f"{one.kind} {one.file}"), "red"),
                (f"  order {one.id}, attempt {one.attempts}", "dim"),
            )
        )
        lines.append(Padding(Text(_shown(_cut(one.reason))), (0, 0, 0, 10)))
    return Group(*lines)


def _number(value: int | None, *, style: str = "") -> Text:
    return Text("·", style="dim") if not value else Text(f"{value:,}", style=style)


def _age(seconds: float | None) -> str:
    """Return a duration in the two largest units at most."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{max(seconds, 0):.0f} s"
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86400
    if minutes < 60:
        return f"{minutes:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{days:.0f} d"


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _cut(text: str, most: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
