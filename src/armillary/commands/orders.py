"""Commands on work orders: what waits, runs and ended, and why; take one back, or try it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from armillary.access.models import OPERATOR
from armillary.commands.help import PlainGroup
from armillary.commands.tables import print_pairs, print_table
from armillary.commands.terminal import DEFAULT_DATA, DataOption, JsonOption, fail, out, print_json, run

if TYPE_CHECKING:
    from armillary.base.work import State
    from armillary.base.work.admin import OrderView
    from armillary.context import Context

app = typer.Typer(
    cls=PlainGroup, no_args_is_help=True, help="Work orders: what waits, runs and ended, and why."
)
Number = Annotated[int, typer.Argument(min=1, help="Number of the order.")]


@app.command("list")
def list_orders(
    data: DataOption = DEFAULT_DATA,
    state: Annotated[str | None, typer.Option(help="Queued, Started, Completed or Failed.")] = None,
    kind: Annotated[str | None, typer.Option(help="Kind of work, such as ingest.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List work orders, newest first."""
    wanted = _state(state)

    async def action(context: Context) -> list[OrderView]:
        from armillary.base.work import admin

        async with context.database.begin() as connection:
            return await admin.list_orders(connection, state=wanted, kind=kind, limit=limit)

    found = run(data, action)
    if as_json:
        print_json({"orders": [_plain(one) for one in found]})
        return
    columns = ["order", "kind", "file", "state", "step", "tries", "error"]
    print_table(columns, [_row(one) for one in found])


@app.command()
def show(number: Number, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Show one order with its steps."""

    async def action(context: Context) -> OrderView:
        from armillary.operations.service import find_order

        async with context.database.begin() as connection:
            return await find_order(connection, number)

    found = run(data, action)
    if as_json:
        print_json(_plain(found))
        return
    pairs = {key: value for key, value in _plain(found).items() if key != "steps" and value is not None}
    print_pairs([(key, str(value)) for key, value in pairs.items()])
    if found.steps:
        steps = [
            [_of_step(one), str(one["outcome"]), str(one["why"] or ""), f"{one['ms']} ms"]
            for one in found.steps
        ]
        print_table(["step", "outcome", "why", "took"], steps)


@app.command()
def cancel(number: Number, data: DataOption = DEFAULT_DATA) -> None:
    """Take an order out of the queue before it begins, or let one that makes steps end before the next."""
    _ask(data, number, "cancel_order", "cancelled")


@app.command()
def retry(number: Number, data: DataOption = DEFAULT_DATA) -> None:
    """Queue a failed order once more; let one that waits for its time run now."""
    _ask(data, number, "retry_order", "queued again")


def _ask(data: Path, number: int, kind: str, done: str) -> None:
    async def action(context: Context) -> str:
        from armillary.commands.work import finish
        from armillary.operations.service import ask_for

        async with context.database.begin() as connection:
            asked = await ask_for(connection, kind, number, actor=OPERATOR.name, address="")
        response = (await finish(context, [asked]))[asked].response
        return "" if response.ok else response.error

    if error := run(data, action):
        fail(error)
    out.print(f"order {number} is {done}")


def _state(word: str | None) -> State | None:
    from armillary.base.work import State

    if word is None:
        return None
    for one in State:
        if one.lower() == word.lower():
            return one
    raise typer.BadParameter(f"'{word}' is no state; there are {', '.join(State)}")


def _plain(one: OrderView) -> dict[str, Any]:
    """Return an order for scripts."""
    return {
        "order": one.id,
        "kind": one.kind,
        "key": one.key,
        "state": str(one.state),
        "revision": one.revision,
        "priority": one.priority,
        "attempts": one.attempts,
        "step": one.step,
        "steps": list(one.steps) if one.steps is not None else None,
        "error": one.error,
        "error_code": one.error_code,
        "actor": one.actor,
        "added": one.added.isoformat(),
        "started": one.started.isoformat() if one.started else None,
        "finished": one.finished.isoformat() if one.finished else None,
        "args": dict(one.args),
        "value": one.response.value if one.response else None,
    }


def _row(one: OrderView) -> list[str]:
    file = one.args.get("name") or one.args.get("filename") or one.key or ""
    return [
        str(one.id),
        one.kind,
        str(file),
        str(one.state),
        one.step or "",
        str(one.attempts),
        one.error or "",
    ]


def _of_step(one: Any) -> str:
    of = [str(one[key]) for key in ("kind", "hdu") if one.get(key) is not None]
    return f"{one['name']} {' '.join(of)}".strip()
