"""Write pages of docs from the program itself.

docs/reference.md has commands, routes, settings and error codes; docs/instruments.md says from which keywords of
which instruments the values of the catalog come; docs/quality.md lists the rules that headers are checked by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from armillary.app import create_app
from armillary.archive.intake.profiles.document import (
    Condition,
    Conditions,
    Position,
    ProfileFile,
    Scalar,
    Source,
)
from armillary.archive.intake.profiles.load import packaged_files
from armillary.console import reference as told
from armillary.headers.rules.service import Group, Rule, SetRule, rules_told

DOCS = Path(__file__).parent.parent / "docs"


def command_rows() -> Iterator[str]:
    """Yield one table row per command, with its options."""
    for one in told.commands():
        shown = (f"`{word}`" if word.startswith("-") else word for word in one.parameters)
        yield f"| `{one.name}` | {one.text} | {', '.join(shown)} |"


def route_rows() -> Iterator[str]:
    """Yield one table row per route and method."""
    yield from sorted(
        f"| `{one.method} {one.path}` | {one.who} | {one.text} |" for one in told.routes(create_app().routes)
    )


def setting_rows() -> Iterator[str]:
    """Yield one table row per setting, and per key of the elements of a setting that is a list."""
    for one in told.settings():
        variable = f"`{one.variable}` " if one.variable else ""
        default = "needed" if one.is_needed else f"`{one.default}`"
        yield f"| `{one.name}` | {variable}| {default} | {one.text} |"


def error_rows() -> Iterator[str]:
    """Yield one table row per error code."""
    for one in told.error_codes():
        yield f"| `{one.code}` | {one.status} | {one.text} |"


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


READS = {
    "mjd": "a modified Julian date",
    "time_of_day": "a time of day after the start",
    "public_from": "the first whole day after it",
    "zenith_distance": "90 degrees less it",
}
INSTRUMENTS = """# Instruments

Written by `scripts/reference.py` from the profiles of the program; a test compares.

Of several sources of a value, the first that has a credible one counts. Where a profile says nothing of a value,
the profile that it extends does. What cannot be known is null, with a warning if the header tells something that
cannot be read; `armillary search --warnings` finds those frames. Times of headers without TIMESYS are UTC unless a
profile says otherwise. Where no keyword tells the night, it follows from the start by the rule of the site, an end
from start and exposure. A site's own profiles stand beside these: see "An instrument profile" in
[develop.md](develop.md).
"""


def instruments() -> str:
    """Return the page of all packaged profiles."""
    return INSTRUMENTS + "".join(f"\n{_profile(file)}" for file in packaged_files())


def _profile(file: ProfileFile) -> str:
    intro = [f"## {file.title}\n\nProfile `{file.name}`"]
    if file.match:
        intro.append(" for headers in which " + ", or ".join(map(_conditions, file.match)))
    if file.extends:
        intro.append(f"; other values as of `{file.extends}`")
    if file.time_scale:
        intro.append(f". Times of headers without TIMESYS are {file.time_scale}")
    rows = [] if file.positions is None else [_row("position", [_position(one) for one in file.positions])]
    rows += [_row(f"`{name}`", map(_source, sources)) for name, sources in file.fields.items()]
    return "".join(intro) + ".\n\n| Value | Where it comes from |\n|---|---|\n" + "\n".join(rows) + "\n"


def _row(name: str, sources: Iterable[str]) -> str:
    return f"| {name} | {'; '.join(sources) or 'not told'} |"


def _keyword(name: str) -> str:
    return "the name of the file" if name == "@filename" else f"`{name}`"


def _conditions(conditions: Conditions) -> str:
    return " and ".join(f"{_keyword(name)} {_condition(one)}" for name, one in conditions.items())


def _condition(one: Condition) -> str:
    words = [*(() if one.equals is None else (one.equals,)), *one.any_of]
    if words:
        return "is " + " or ".join(f"`{word}`" for word in words)
    if one.regex is not None:
        return f"matches {_code(one.regex)}"
    return "is absent" if one.present is False else "is present"


def _code(text: str) -> str:
    # A bar would end the cell of a table, even in code.
    return f"`{text}`".replace("|", r"\|")


def _position(one: Position) -> str:
    text = "world coordinates on any axes" if one.world else f"`{one.ra}` and `{one.dec}`"
    if one.ra_unit != "deg":
        text += f" ({one.ra_unit}, {one.dec_unit})"
    if one.equinox:
        text += ", equinox " + " or ".join(f"`{name}`" for name in one.equinox)
    return text + (f", if {_conditions(one.when)}" if one.when else "")


def _source(source: Source) -> str:
    keywords = (source.keyword,) if source.keyword else source.keywords
    text = f" {source.join} ".join(map(_keyword, keywords))
    notes = list(_notes(source))
    if source.value is not None:
        value = _shown(source.value)
        text = f"{value}, if {text} is present" if keywords else value
    if source.minus:
        text += f" less `{source.minus}`"
    if source.times:
        text += f" times `{source.times}`"
    if source.time:
        text += " with the time of " + ", ".join(f"`{name}`" for name in source.time)
    if notes:
        text += f" ({'; '.join(notes)})"
    return text + (f", if {_conditions(source.when)}" if source.when else "")


def _shown(value: Scalar) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _notes(source: Source) -> Iterator[str]:
    """Yield how the value of a source is read."""
    if source.said:
        yield f"if its comment matches {_code(source.said)}"
    if source.doubt:
        yield f"not taken: {source.doubt}"
    if source.read == "matches":
        yield f"whether it matches {_code(source.pattern or '')}"
    elif source.pattern:
        yield f"the part that matches {_code(source.pattern)}"
    if source.read in READS:
        yield READS[source.read]
    if source.unit_keyword:
        yield f"in the unit of `{source.unit_keyword}`"
    if source.stated:
        yield f"in the unit that its comment states, else {source.unit}"
    elif source.unit:
        yield f"in {source.unit}"
    if source.scale:
        yield source.scale
    if source.map:
        yield "by " + ", ".join(f"`{word}` = {_shown(value)}" for word, value in source.map.items())
    if source.append:
        yield f"with {_code(source.append)} behind"
    if source.bands:
        yield "by the band that it lies in"
    if source.drop:
        yield f"without {_code(source.drop)}"
    if source.plus_days:
        yield f"{source.plus_days} days later"


QUALITY = """# Quality of headers

Written by `scripts/reference.py` from the rules of the program; a test compares.

`armillary check PATH...` checks FITS files, texts of cards, side-cars, JSON and YAML, and directories of them,
for what cannot be true; `armillary header qa` is the same command. `armillary check --where SELECTION` checks
archived frames and keeps what it finds: `GET /v1/findings` lists it, `finding=` of `GET /v1/frames` and
`armillary search --finding` find the frames, `any` standing for any finding. Who may not read the headers of a
file is told none of its findings. `POST /v1/qa` checks headers in a request and stores nothing.

A finding says what was expected, what the header says, how far these are apart, and which hypothesis explains
it. What a header does not declare (frame, scale, unit, moment) is tried, and is a fault only if nothing
plausible fits. Nothing is ever changed: a finding may propose an edit, in the form of `armillary edit`.

Errors cannot be true; warnings should be looked at; notes are worth knowing. The command ends with 1 if there is
an error or a warning, with 0 if there is none, with 2 if no file has a header. Behind the findings comes a
line for each rule: in how many headers, the median of the residuals, their spread (1.48 times the median
deviation from the median, so that a few strangers do not count), and the likely cause. A residual that is the
same in all headers is compared with known mistakes: scales, time zones, turns, precession.

The site is that of `--site LAT,LON,HEIGHT`, else what the header tells, else that of its telescope, where the
name is known. `--tolerance RULE=NUMBER` sets another tolerance. Rules of many headers compare those that are
checked together.
"""


def quality() -> str:
    """Return the page of all rules."""
    return QUALITY + "".join(f"\n{_group(group)}" for group in Group)


def _group(group: Group) -> str:
    rules = [one for one in rules_told() if one.group is group]
    columns = "| Rule | Severity | What has to hold | Tolerance | If not |\n|---|---|---|---|---|\n"
    head = f"## {group[0].upper()}{group[1:]}\n\n{columns}"
    return head + "".join(map(_rule, rules))


def _rule(one: Rule | SetRule) -> str:
    tolerance = f"{one.tolerance:g} {one.unit}".rstrip() if one.tolerance else ""
    held = f"{one.formula} (of {one.inputs})" + ("; of many headers" if isinstance(one, SetRule) else "")
    tried = f" Tried: {'; '.join(one.hypotheses)}." if one.hypotheses else ""
    cells = (f"`{one.id}`", str(one.severity), held, tolerance, one.text + tried)
    # A bar would end a cell, and a star is no emphasis here.
    return "| " + " | ".join(cell.replace("|", r"\|").replace("*", r"\*") for cell in cells) + " |\n"


PAGES = {"reference.md": reference, "instruments.md": instruments, "quality.md": quality}


if __name__ == "__main__":
    DOCS.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())
