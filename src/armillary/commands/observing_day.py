"""The demonstration's day at a solar telescope: cubes in an ingestion root, taken in by work orders."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.models import Options
from armillary.base.work import wait_for
from armillary.context import Context
from armillary.demo.solar import Filed, cubes_of_day, write_day, write_vocabularies
from armillary.demo.solar.day import SECRET, VOCABULARIES
from armillary.settings import Settings

ROOT, FOLDER, WORDS = "sun", "demo-sun", "vocabularies"
ACTOR = "demonstration"
STUDENT = "student@example.org"
"""Who may read cubes that are not public yet."""
PATIENCE_S = 120.0
LEFT_OUT = (
    "The observing day at a solar telescope is left out, since this archive has settings of its own. To have it,"
    " let them name an ingestion root for it:\n"
)


def configure(settings: Settings) -> Settings:
    """Give an archive that has no settings yet an ingestion root with vocabularies; return the settings then."""
    file = settings.data / "armillary.toml"
    if settings.ingestion.roots or settings.config or file.exists():
        return settings
    # Workers read them as soon as they start.
    write_vocabularies(_directory(settings) / WORDS)
    partial = file.with_name(f".{file.name}.part")
    partial.write_text(
        f"# Written by `armillary up --demo`; it is yours to change.\n{settings_text(settings)}"
    )
    partial.rename(file)
    return Settings(data=settings.data)


def settings_text(settings: Settings) -> str:
    """Return the settings of the day as TOML."""
    top = _directory(settings)
    words = {name: top / WORDS / f"{name.lower()}.txt" for name in VOCABULARIES}
    return f"[ingestion.roots]\n{_lines({ROOT: top})}\n[sst.vocabularies]\n{_lines(words)}"


def has_root(settings: Settings) -> bool:
    """Tell whether the day has its ingestion root."""
    root = settings.ingestion.roots.get(ROOT)
    return root is not None and root.resolve() == _directory(settings).resolve()


async def show_day(context: Context) -> int:
    """Write the day and take it in, unless it was there before; return how many files it has."""
    top, day = _directory(context.settings), cubes_of_day()
    missing = [filed for filed in day if not (top / filed.path).exists()]
    if missing:
        await cubes.register(context)
        await asyncio.to_thread(write_day, top)
        *first, again = missing
        # The one that was exported again comes when the others are in.
        for some in (first, [again]):
            await _take_in(context, some)
    return len(day)


async def _take_in(context: Context, day: Sequence[Filed]) -> None:
    submitted = [
        await cubes.submit(context, filed.path, _options(filed), root=ROOT, actor=ACTOR) for filed in day
    ]
    await wait_for(context.database, context.signals, [one.order for one in submitted], PATIENCE_S)


def _options(filed: Filed) -> Options:
    restricted = filed.cube.release == SECRET
    return Options(owner_email_addresses=(STUDENT,)) if restricted else Options()


def _directory(settings: Settings) -> Path:
    return settings.data / FOLDER


def _lines(values: Mapping[str, Path]) -> str:
    """Return pairs as TOML, whose texts are those of JSON but for what paths do not hold."""
    return "".join(f"{name} = {json.dumps(str(path), ensure_ascii=False)}\n" for name, path in values.items())
