"""The same search elsewhere: as words for a shell, as a program, as a command of the archive's own machine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from armillary.archive.fields import CRITERIA
from armillary.console.searching import CONE, CURSOR, KEYWORD, SELECTION, Search

ROUTE = "/v1/frames"
TOKEN = "ARMILLARY_TOKEN"  # noqa: S105  # the name of a variable


def ways_of(search: Search, base: str, *, signed_in: bool) -> list[tuple[str, str]]:
    """Return commands that find what a page shows, each with what it is for."""
    pairs = list(parameters(search))
    found = [("curl", _curl(pairs, base, signed_in)), ("Python", _python(pairs, base, signed_in))]
    command = command_of(search)
    return found if command is None else [*found, ("CLI", command)]


def parameters(search: Search) -> Iterator[tuple[str, str]]:
    """Yield the parameters by which programs ask for what a search asks for."""
    for name in ("name", *(one.name for one in CRITERIA), CONE):
        if name in search.values:
            yield name, _word(search.values[name])
    for name in (SELECTION, "limit", CURSOR):
        if name in search.given:
            yield name, search.given[name]
    for one in search.keywords:
        yield KEYWORD, one


def command_of(search: Search) -> str | None:
    """Return the command of the archive's own machine; None if it has no words for a part of the search."""
    words = ["armillary", "search", "--json"]
    for one in CRITERIA:
        value = search.values.get(one.name)
        if isinstance(value, datetime):
            if value.microsecond:
                return None
            words.append(f"--{one.option}={value:%Y-%m-%dT%H:%M:%S}")
        elif isinstance(value, bool):
            words.append(f"--{one.option}" if value else f"--no-{one.option}")
        elif value is not None:
            words.append(f"--{one.option}={_word(value)}")
    words += [f"--{name}={search.values[name]}" for name in ("name", CONE) if name in search.values]
    given = {"select": SELECTION, "limit": "limit", "cursor": CURSOR}
    words += [f"--{option}={search.given[name]}" for option, name in given.items() if name in search.given]
    words += ["--", *search.keywords] if search.keywords else []
    return shlex.join(words)


def _word(value: Any) -> str:
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case bool():
            return "true" if value else "false"
    return str(value)


def _curl(pairs: list[tuple[str, str]], base: str, signed_in: bool) -> str:
    shown = [f'-H "Authorization: Bearer ${TOKEN}"'] if signed_in else []
    asked = [f"--data-urlencode {shlex.quote(f'{name}={value}')}" for name, value in pairs]
    return " \\\n  ".join([f"curl -fsSG {shlex.quote(base + ROUTE)}", *shown, *asked])


def _python(pairs: list[tuple[str, str]], base: str, signed_in: bool) -> str:
    asked = "".join(f"    ({json.dumps(name)}, {json.dumps(value)}),\n" for name, value in pairs)
    shown = f'{{"Authorization": "Bearer " + os.environ["{TOKEN}"]}}' if signed_in else "{}"
    imports = "import json\n" + ("import os\n" if signed_in else "")
    return (
        f"{imports}from urllib.parse import urlencode\nfrom urllib.request import Request, urlopen\n\n"
        f"asked = [\n{asked}]\n"
        f"request = Request({json.dumps(base + ROUTE)} + '?' + urlencode(asked), headers={shown})\n"
        'frames = json.load(urlopen(request))["frames"]\n'
        'print(len(frames), *(one["name"] for one in frames), sep="\\n")\n'
    )
