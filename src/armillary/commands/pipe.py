"""Commands for queues of items: what they hold, what died in them, another try; and how machines are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from armillary.commands.help import PlainGroup
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    escape,
    only_text,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from armillary.context import Context
    from armillary.pipe.documents import DeadLetters, MachineStatus
    from armillary.pipe.models import Item, QueueState

app = typer.Typer(
    cls=PlainGroup, no_args_is_help=True, help="Queues of items that sites and machines exchange."
)
QueueName = Annotated[str, typer.Argument(metavar="QUEUE", help="Name of the queue.", callback=only_text)]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Most rows.")]


@app.command("list")
def list_queues(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """List queues with what waits, is leased and is dead in them, and the age of the oldest item."""
    import msgspec

    from armillary.pipe import service

    async def action(context: Context) -> list[QueueState]:
        async with context.database.begin() as connection:
            return await service.queues.states(connection)

    found = run(data, action)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        age = "" if one.oldest_age_s is None else f", the oldest for {one.oldest_age_s:.0f} s"
        figures = f"{one.waiting} waiting{age}; {one.leased} leased, {one.delayed} delayed, {one.dead} dead"
        out.print(escape(f"{one.queue_name:20} {figures}"))


@app.command("create")
def create(name: QueueName, data: DataOption = DEFAULT_DATA) -> None:
    """Create a queue."""
    from armillary.pipe import service

    async def action(context: Context) -> None:
        async with context.database.begin() as connection:
            await service.queues.create(connection, service.name_of(name))

    run(data, action)


@app.command("show")
def show(
    name: QueueName, limit: Limit = 20, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False
) -> None:
    """Show the next items of a queue, oldest first, and leave them there."""
    import msgspec

    from armillary.pipe import service

    async def action(context: Context) -> list[Item]:
        async with context.database.begin() as connection:
            return await service.queues.peek(connection, name, limit)

    found = run(data, action)
    if as_json:
        print_json(msgspec.json.decode(msgspec.json.encode(found)))
        return
    for one in found:
        out.print(escape(f"{one.id}  {one.sender:12} {_payload(one)}"))


@app.command("dead")
def dead(
    name: QueueName, limit: Limit = 20, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False
) -> None:
    """List dead letters of a queue, with the last worker and its reason."""
    import msgspec

    from armillary.pipe import service

    async def action(context: Context) -> DeadLetters:
        async with context.database.begin() as connection:
            return await service.queues.dead_letters(connection, name, after=0, limit=limit)

    found = run(data, action)
    if as_json:
        print_json(msgspec.json.decode(msgspec.json.encode(found)))
        return
    for one in found.dead:
        why = f" by {one.worker or 'nobody'}: {one.reason or 'no reason was told'}"
        out.print(escape(f"{one.item.id}  {one.attempts} attempts, the last{why}  {_payload(one.item)}"))
    if found.next is not None:
        out.print(f"there are more; show them by --limit {2 * limit}")


@app.command("requeue")
def requeue(
    name: QueueName,
    item: Annotated[
        str | None,
        typer.Argument(metavar="[ITEM]", help="Id of a dead letter; all of the queue if left out."),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Put dead letters back to their old places, with all their attempts."""
    from armillary.pipe import service

    async def action(context: Context) -> int:
        async with context.database.begin() as connection:
            return await service.queues.requeue(connection, name, item)

    count = run(data, action)
    if as_json:
        print_json({"requeued": count})
    else:
        out.print(f"{count} requeued")


@app.command("machines")
def machines(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """List machines that work on queues, what they said last, and how long ago."""
    import msgspec

    from armillary.pipe import service

    async def action(context: Context) -> list[MachineStatus]:
        async with context.database.begin() as connection:
            found = await service.machines.list_all(connection)
        return [service.machines.seen(one, context.clock.now()) for one in found]

    found = run(data, action)
    if as_json:
        print_json(msgspec.json.decode(msgspec.json.encode(found)))
        return
    for one in found:
        status = bytes(one.status).decode()
        out.print(escape(f"{one.pipe_id:20} {status}  {one.last_seen_age_s:.0f} s ago"))


def _payload(item: Item) -> str:
    text = bytes(item.payload).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."
