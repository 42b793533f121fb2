"""The reference: commands, routes, settings and error codes, as the program itself says them."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, get_args

from pydantic import BaseModel
from starlette.routing import BaseRoute

import armillary
from armillary.api.http.policy import Policy, policy_of, walk
from armillary.errors import ArmillaryError
from armillary.settings import Settings

APART = re.compile(r"__main__|migrations")
"""Modules that act when they are imported."""


@dataclass(frozen=True, slots=True, order=True)
class Command:
    """A command, and what can follow it: arguments in capitals, and options."""

    name: str
    text: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class ToldRoute:
    """A route, and who may use it."""

    method: str
    path: str
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting, or a key of the elements of one that is a list: such a key has no variable of its own."""

    name: str
    variable: str
    default: str
    text: str
    is_needed: bool = False


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """An error, as it is told everywhere."""

    code: str
    status: int
    text: str


def first_line(text: str | None) -> str:
    """Return the first line of a docstring."""
    return (text or "").strip().split("\n")[0]


@cache
def commands() -> tuple[Command, ...]:
    """Return every command, the scripts of older systems behind the others."""
    # By name, as the command line itself finds its commands: it stands above all pages.
    entries, load = (getattr(import_module("armillary.cli"), name) for name in ("ENTRIES", "load"))
    found = [one for name in sorted(entries) for one in _commands_of(load(name), f"armillary {name}")]
    scripts = import_module("armillary.commands.services")
    for name, run in scripts.SCRIPTS.items():
        flags = re.findall(r"--[a-z]+", scripts.parser_of(name, "", "").format_usage())
        found.append(Command(name, first_line(run.__doc__), tuple(flags)))
    return tuple(found)


def _commands_of(command: Any, name: str) -> Iterator[Command]:
    if below := getattr(command, "commands", None):
        for word in sorted(below):
            yield from _commands_of(below[word], f"{name} {word}")
        return
    shown = [
        one.name.upper() if one.param_type_name == "argument" else one.opts[0]
        for one in command.params
        if not getattr(one, "hidden", False) and one.name != "help"
    ]
    yield Command(name, first_line(command.help), tuple(shown))


def routes(of: Iterable[BaseRoute]) -> list[ToldRoute]:
    """Return every route and method of an application."""
    found = set()
    for route in walk(of):
        policy = policy_of(route)
        who = _who(policy) if policy else "anybody"
        for method in getattr(route, "methods", ()) or ():
            text = first_line(getattr(getattr(route, "endpoint", None), "__doc__", ""))
            found.add(ToldRoute(method, getattr(route, "path", ""), who, text))
    return sorted(found)


def _who(policy: Policy) -> str:
    if policy.scope is None:
        return "anybody" if policy.is_open else "anybody who is known"
    scopes = f"scope {' or '.join((policy.scope, *policy.others))}"
    return f"anybody, or {scopes} if `auth` says so" if policy.is_open else scopes


def settings(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[Setting]:
    """Yield every setting."""
    for name, field in model.model_fields.items():
        kind, whole = field.annotation, f"{prefix}{name}"
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings(kind, f"{whole}.")
            continue
        variable = "ARMILLARY_" + whole.replace(".", "__").upper()
        yield Setting(whole, variable, repr(field.default), field.description or "")
        for one in get_args(kind):
            if isinstance(one, type) and issubclass(one, BaseModel):
                yield from _keys(one, f"{whole}[].")


def _keys(model: type[BaseModel], prefix: str) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        needed = field.is_required()
        default = "" if needed else repr(field.default)
        yield Setting(f"{prefix}{name}", "", default, field.description or "", needed)


@cache
def error_codes() -> tuple[ErrorCode, ...]:
    """Return every error code; for that, every module of the program is loaded."""
    for module in pkgutil.walk_packages(armillary.__path__, "armillary."):
        if not APART.search(module.name):
            import_module(module.name)
    found = {
        error.code: ErrorCode(error.code, int(error.status), first_line(error.__doc__))
        for error in _subclasses(ArmillaryError)
        if error.__module__.startswith("armillary.")
    }
    return tuple(found[code] for code in sorted(found))


def _subclasses(error: type[ArmillaryError]) -> Iterator[type[ArmillaryError]]:
    yield error
    for below in error.__subclasses__():
        yield from _subclasses(below)
