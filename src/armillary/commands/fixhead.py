"""The command `fixhead`: Gemini's fixHead, against an archive here or a server elsewhere."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from armillary.commands.change_sets import change_line, confirm
from armillary.commands.terminal import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    err,
    escape,
    fail,
    guarded,
    is_up,
    only_text,
    out,
    print_json,
    run,
    tell,
)
from armillary.commands.words import WhyOption, YesOption, parse_extension, parse_setting, user_name
from armillary.edits.errors import ItemRefused
from armillary.edits.models import EditRequest, Origin, Refused, Target

if TYPE_CHECKING:
    import httpx

    from armillary.commands.fixing import Fix
    from armillary.context import Context
    from armillary.edits.service import Rules

COOKIE = "gemini_api_authorization"
MOST_NAMES = 10_000
ANSWER_S, WAIT_S = 60.0, 50.0
Request = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one file; ``changes`` is None where a server only says that it accepted.

    Servers give no ``code`` of the error.
    """

    file: str
    error: str | None
    code: str | None
    changes: Sequence[Mapping[str, Any]] | None


def fixhead(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[DATE] NUMBERS|FILE|[obsid] ID KEYWORD:VALUE...",
            help="20221215 1-5,8 qa:pass cond:iq70,cc50 release:2023-01-01 OBJECT='M 31' EXPTIME=12.5",
        ),
    ],
    data: DataOption = DEFAULT_DATA,
    server: Annotated[str, typer.Option("--server", help="Address of a server instead of --data.")] = "",
    token: Annotated[
        str, typer.Option("--token", "--cookie", help="Cookie for that server.", envvar="GEMINI_API_AUTH")
    ] = "",
    new: Annotated[bool, typer.Option("-y", help="Allow keywords that are not in the file.")] = False,
    north: Annotated[
        bool, typer.Option("-N", help="Numbers mean files of Gemini North, as they do.")
    ] = False,
    south: Annotated[bool, typer.Option("-S", help="Numbers mean files of Gemini South.")] = False,
    extension: Annotated[str | None, typer.Option("--ext", help="HDU by index or EXTNAME.")] = None,
    listing: Annotated[
        bool, typer.Option("--list", "-l", help="List the files, and change nothing.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the request, and send nothing.")] = False,
    yes: YesOption = False,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Fix header cards as Gemini's fixHead does: files by number, settings as KEYWORD:VALUE.

    A number, T or F after a colon becomes one if the card holds a number or a logical, and is text on all other
    cards; after an equals sign it always becomes one. Quotes that the shell leaves keep it text: OBJECT:"'33'".
    """
    from armillary.commands.fixing import read_fix, request_of

    if north and south:
        fail("-N and -S exclude each other")
    today = datetime.now(UTC).date()
    fix = guarded(lambda: read_fix([*map(only_text, words)], today=today, typed=parse_setting, south=south))
    if not fix.values and not listing:
        fail("say what to change: KEYWORD:VALUE")
    names = _names(fix, data, server)
    request = request_of(names, fix.values, reject_new=not new, extension=parse_extension(extension))
    if listing or dry_run:
        _show(names, request, listing=listing, as_json=as_json)
        return
    if not yes and err.is_terminal:
        err.print(escape(f"{json.dumps(fix.values)} in {', '.join(names[:5])}{' ...' if names[5:] else ''}"))
        confirm(f"Fix {len(names)} files?")
    origin = Origin(user_name(), "command line", why)
    answers = (
        _send(server, token, request) if server else run(data, lambda c: _edit(c, data, request, origin))
    )
    _report(answers, as_json=as_json)


def _names(fix: Fix, data: Path, server: str) -> list[str]:
    """Return the files that are meant; ids are looked up."""
    if not fix.selection:
        return list(fix.names)
    found = _look_up(server, fix.selection) if server else run(data, lambda c: _find(c, fix.selection))
    if not found:
        fail(f"no present file has {fix.selection[-1]}")
    return found


async def _find(context: Context, selection: Sequence[str]) -> list[str]:
    from armillary.archive.query import service as query
    from armillary.archive.query.service import parse

    today = context.clock.now().date()
    wanted = query.members_of(parse(selection, today=today).terms, today=today)
    async with context.database.begin() as connection:
        rows = await query.page_of(connection, wanted, after=0, count=MOST_NAMES)
    return [row.name for row in rows]


def _look_up(server: str, selection: Sequence[str]) -> list[str]:
    path = "/".join(quote(part, safe="=") for part in selection)
    reply = _ask("GET", server, f"/jsonfilenames/{path}")
    try:
        return [str(one["name"]) for one in reply.json()]
    except (ValueError, TypeError, KeyError):
        fail(f"{server} answers the question for files with something else than a list of names")


def _ask(method: str, server: str, path: str, **options: Any) -> httpx.Response:
    import httpx

    from armillary.base.certificates import certificates_for

    url = f"{server.rstrip('/')}{path}"
    trust = certificates_for(url)
    try:
        reply = httpx.request(method, url, timeout=ANSWER_S, trust_env=False, verify=trust, **options)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fail(f"cannot reach {url}: {str(error) or type(error).__name__}")
    if reply.status_code == HTTPStatus.FORBIDDEN:
        fail(f"{server} refuses the cookie; give it with --token, or in GEMINI_API_AUTH", status=2)
    if reply.status_code != HTTPStatus.OK:
        fail(f"{method} {url}: status {reply.status_code}: {reply.text[:300]}")
    return reply


def _send(server: str, token: str, request: Request) -> list[Answer]:
    """Post the request; a server that can tell is asked what became of it."""
    headers = {"Cookie": f"{COOKIE}={token}", "Content-Type": "application/json"}
    reply = _ask("POST", server, "/update_headers", content=json.dumps(request).encode(), headers=headers)
    try:
        answers = [Answer(str(one.get("id", "?")), one.get("error"), None, None) for one in reply.json()]
    except (ValueError, AttributeError, TypeError):
        fail(f"{server} answers the update with something else than a list")
    place = reply.headers.get("Location", "")
    if not place.startswith("/update_headers/"):
        return answers
    while True:
        known = _ask("GET", server, place, params={"wait": WAIT_S}, headers=headers).json()
        if known["done"]:
            return [_answer(one) for one in known["items"]]


def _answer(item: dict[str, Any]) -> Answer:
    return Answer(
        str(item["id"]), item["error"] if item["state"] == "failed" else None, None, item["changes"]
    )


async def _edit(context: Context, data: Path, request: Request, origin: Origin) -> list[Answer]:
    """Let the archive here carry the request out."""
    from armillary.commands.work import finish, finish_all
    from armillary.edits.service import EditState, rules_of, status_of, submit_edits

    rules = dataclasses.replace(rules_of(context.settings.edits), hierarch=False)
    submission = await submit_edits(context, [_read(item, rules) for item in request["request"]], origin)
    await finish(context, submission.order_ids)
    if not is_up(data):
        await finish_all(context)
    if submission.id is None:
        return []
    known = await status_of(context, submission.id)
    return [
        Answer(str(one.id), one.error, one.code, one.changes)
        if one.state == EditState.FAILED
        else Answer(str(one.id), None, None, one.changes)
        for one in known.edits
    ]


def _read(item: dict[str, Any], rules: Rules) -> EditRequest | Refused:
    """Return what an item asks of the archive here; one that is wrong is answered like the others."""
    from armillary.edits.service import request_of_words

    target, values = Target(item["filename"]), item["values"]
    try:
        return request_of_words(
            target, values, rules, reject_new=item["reject_new"], extension=item.get("extension")
        )
    except ItemRefused as error:
        return Refused(target, error)


def _show(names: Sequence[str], request: Request, *, listing: bool, as_json: bool) -> None:
    if as_json or not listing:
        print_json(list(names) if listing else request)
        return
    for name in names:
        out.print(escape(name))


def _report(answers: Sequence[Answer], *, as_json: bool) -> None:
    """Tell what became of every file; end with 1 if one is not as wanted."""
    if as_json:
        print_json([dataclasses.asdict(one) for one in answers])
    for one in () if as_json else answers:
        if one.error is not None:
            tell(f"{one.file}: {one.error}", code=one.code)
            continue
        said = "accepted" if one.changes is None else "fixed" if one.changes else "nothing to change"
        out.print(escape(f"{one.file}: {said}"))
        for change in one.changes or ():
            out.print(escape(f"  {change_line(change)}"))
    raise typer.Exit(1 if any(one.error is not None for one in answers) else 0)
