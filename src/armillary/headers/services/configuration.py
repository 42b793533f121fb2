"""The configuration of an instrument as its service uses it: read from files, kept by revision, read again."""

from __future__ import annotations

import contextlib
import gc
import hashlib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from armillary.headers.errors import ConfigurationRefused, UnknownInstrument
from armillary.headers.exposures.machine import Events, events_of
from armillary.headers.recipes.models import Recipe, Source, Template
from armillary.headers.recipes.service import blocking, dump, lint, load, read_recipe, read_template
from armillary.headers.render.rendering import prepare
from armillary.headers.services import store

_packed = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Configuration(Struct, frozen=True):
    """A recipe and its templates by product, which are kept together; ``id`` is 0 before they are."""

    recipe: Recipe
    templates: dict[str, Template]
    id: int = 0

    @property
    def digest(self) -> str:
        """The hash of all revisions."""
        parts = [self.recipe.rev, *(f"{name}:{one.rev}" for name, one in sorted(self.templates.items()))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def events(self) -> Events:
        """The events that are moments of exposures."""
        return events_of(self.recipe)

    @property
    def channels(self) -> frozenset[tuple[str, str]]:
        """Sources and topics that headers are made of."""
        return frozenset(self.events) | {
            (self.recipe.sources[origin].component, topic) for origin, topic in _read(self.recipe)
        }


def _read(recipe: Recipe) -> set[tuple[str, str]]:
    sources = [
        source
        for keyword in recipe.keywords.values()
        for source in (keyword.source, *(one.source for one in keyword.fallback))
    ]
    geometry = recipe.geometry
    readings = (geometry.vendor, geometry.cols, geometry.rows, geometry.prescan)
    sources += [one.source for one in readings if one is not None]
    found: set[tuple[str, str]] = {_channel(one) for one in sources if one is not None}
    if recipe.detectors.source and recipe.detectors.topic:
        found.add((recipe.detectors.source, recipe.detectors.topic))
    return found


def _channel(source: Source) -> tuple[str, str]:
    return source.origin, source.topic


def names_in(directory: Path) -> list[str]:
    """Return the names of the instruments that are configured in a directory."""
    return sorted(path.stem for path in (directory / "instruments").glob("*.yaml"))


def read(directory: Path, instrument: str) -> Configuration:
    """Return the configuration of an instrument from its files.

    Raises
    ------
    UnknownInstrument
        If there are none.
    ConfigurationRefused
        If lint has found something.
    """
    if instrument not in names_in(directory):
        raise UnknownInstrument(f"There is no {directory / 'instruments' / instrument}.yaml.")
    loaded = load(directory)
    if findings := blocking(lint(loaded, instrument=instrument)):
        shown = "; ".join(f"{one.file}:{one.line}: {one.code} {one.message}" for one in findings[:10])
        more = f"; and {len(findings) - 10} more" if len(findings) > 10 else ""
        raise ConfigurationRefused(f"Lint refuses the configuration of '{instrument}': {shown}{more}.")
    if instrument not in loaded.recipes:
        raise ConfigurationRefused(f"The configuration of '{instrument}' names another instrument.")
    templates = {product: one for (owner, product), one in loaded.templates.items() if owner == instrument}
    if not templates:
        raise ConfigurationRefused(f"There is no template for '{instrument}'.")
    return Configuration(loaded.recipes[instrument], templates)


async def keep(connection: Any, one: Configuration) -> Configuration:
    """Keep a configuration in the database, so that its headers can be made again at any time."""
    recipe = dump(one.recipe)
    templates = msgspec.json.encode({name: msgspec.Raw(dump(each)) for name, each in one.templates.items()})
    values = (one.recipe.instrument, one.digest, one.recipe.rev, recipe, templates)
    return msgspec.structs.replace(one, id=await store.keep_config(connection, *values))


async def kept(connection: Any, number: int) -> Configuration:
    """Return a configuration that was kept.

    Raises
    ------
    ConfigurationRefused
        If this version of the program cannot read it.
    """
    found = await store.config(connection, number)
    try:
        if found is None:
            raise ValueError("it is not there")
        templates = {name: read_template(bytes(raw)) for name, raw in _packed.decode(found[1]).items()}
        return Configuration(read_recipe(found[0]), templates, number)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigurationRefused(
            f"Configuration {number} in the database cannot be used: {error}."
        ) from None


def get_ready(one: Configuration, tai: int) -> None:
    """Do what the first header would wait for; what fails is told when that is made."""
    for template in one.templates.values():
        with contextlib.suppress(Exception):
            prepare(one.recipe, template, tai)
    # What is loaded by now stays. The garbage collector would go through it again and again, and stop everything
    # for longer than a header takes.
    gc.collect()
    gc.freeze()
