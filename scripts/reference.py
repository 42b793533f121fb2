"""Write docs/reference.md from the program itself: commands, routes, settings, error codes."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

import armillary
from armillary.api.http.policy import policy_of, walk
from armillary.app import create_app
from armillary.cli import ENTRIES, load
from armillary.commands.services import SCRIPTS, parser_of
from armillary.errors import ArmillaryError
from armillary.settings import Settings

TARGET = Path(__file__).parent.parent / "docs" / "reference.md"


def first_line(text: str | None) -> str:
    """Return the first line of a docstring."""
    return (text or "").strip().split("\n")[0]


def command_rows() -> Iterator[str]:
    """Yield one table row per command, with its options."""
    for name in sorted(ENTRIES):
        yield from _rows_of(load(name), f"armillary {name}")
    for name, run in SCRIPTS.items():
        flags = re.findall(r"--[a-z]+", parser_of(name, "", "").format_usage())
        yield f"| `{name}` | {first_line(run.__doc__)} | {', '.join(f'`{flag}`' for flag in flags)} |"


def _rows_of(command: object, name: str) -> Iterator[str]:
    below = getattr(command, "commands", None)
    if below:
        for word in sorted(below):
            yield from _rows_of(below[word], f"{name} {word}")
        return
    shown = []
    for parameter in getattr(command, "params", []):
        if getattr(parameter, "hidden", False) or parameter.name == "help":
            continue
        is_argument = parameter.param_type_name == "argument"
        shown.append(parameter.name.upper() if is_argument else f"`{parameter.opts[0]}`")
    yield f"| `{name}` | {first_line(getattr(command, 'help', ''))} | {', '.join(shown)} |"


def route_rows() -> Iterator[str]:
    """Yield one table row per route and method."""
    rows = set()
    for route in walk(create_app().routes):
        policy = policy_of(route)
        scopes = (policy.scope, *policy.others) if policy and policy.scope else ()
        who = f"scope {' or '.join(scopes)}" if scopes else "anybody"
        for method in sorted(getattr(route, "methods", ()) or ()):
            text = first_line(getattr(route.endpoint, "__doc__", ""))
            rows.add(f"| `{method} {route.path}` | {who} | {text} |")
    yield from sorted(rows)


def setting_rows(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Yield one table row per setting."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from setting_rows(kind, f"{prefix}{name}.")
            continue
        below = [one for one in get_args(kind) if isinstance(one, type) and issubclass(one, BaseModel)]
        variable = "ARMILLARY_" + f"{prefix}{name}".replace(".", "__").upper()
        yield f"| `{prefix}{name}` | `{variable}` | `{field.default!r}` | {field.description or ''} |"
        for one in below:
            yield from _element_rows(one, f"{prefix}{name}[].")


def _element_rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """Yield one table row per key of the elements of a setting that is a list."""
    for name, field in model.model_fields.items():
        default = "needed" if field.is_required() else f"`{field.default!r}`"
        yield f"| `{prefix}{name}` | | {default} | {field.description or ''} |"


def error_rows() -> Iterator[str]:
    """Yield one table row per error code."""
    for module in pkgutil.walk_packages(armillary.__path__, "armillary."):
        if not re.search(r"__main__|migrations", module.name):
            importlib.import_module(module.name)
    rows = {}
    for error in _subclasses(ArmillaryError):
        if not error.__module__.startswith("armillary."):
            continue
        rows[error.code] = f"| `{error.code}` | {int(error.status)} | {first_line(error.__doc__)} |"
    yield from (rows[code] for code in sorted(rows))


def _subclasses(error: type[ArmillaryError]) -> Iterator[type[ArmillaryError]]:
    yield error
    for below in error.__subclasses__():
        yield from _subclasses(below)


CODES = """An error has one code wherever it is told: in the body of the reply, in the work order, in the record of
the edit, and in brackets at the end of a command's message. Codes stay; messages may change."""


def reference() -> str:
    """Return the whole page."""
    parts = (
        ("Commands", "| Command | What it does | Arguments and options |\n|---|---|---|", command_rows()),
        ("Routes", "| Route | Who | What it does |\n|---|---|---|", route_rows()),
        ("Settings", "| Setting | Variable | Default | Meaning |\n|---|---|---|---|", setting_rows()),
        ("Error codes", f"{CODES}\n\n| Code | Status | Meaning |\n|---|---|---|", error_rows()),
    )
    text = "# Reference\n\nWritten by `scripts/reference.py` from the program; a test compares.\n"
    for title, head, rows in parts:
        text += f"\n## {title}\n\n{head}\n" + "\n".join(rows) + "\n"
    return text


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(reference())
