"""Everybody who may edit asks all routes about edits: whoever may not read a header learns nothing of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from armillary.access.models import Level
from armillary.edits.disclosure import WITHHELD
from tests.api.test_embargo_matrix import Asked, asked, assert_tells_nothing_hidden, postgres
from tests.support.embargo import EDITORS, FILES, PEOPLE, Person, Sealed, sealed
from tests.support.running import PATIENCE_S

__all__ = ["asked", "postgres"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
EDITOR, STAFF, GRANTED = (
    next(one for one in PEOPLE if one.name == name) for name in ("editor", "staff", "editor of a program")
)
HIDDEN = sealed("proprietary", "")
"""Of the program whose editor may read it; the other editor may not."""
KEYWORDS = list(HIDDEN.positions)
editors = pytest.mark.parametrize("person", EDITORS, ids=lambda person: person.name)


async def post(asked: Asked, person: Person, path: str, content: Any, code: int = 202) -> Any:
    reply = await asked.client.post(path, json=content, headers=asked.headers(person))
    assert reply.status_code == code, reply.text
    return reply


def files_of(asked: Asked, person: Person) -> list[Sealed]:
    """Return the files that a person may know of."""
    return [one for one in FILES if person.may_find(one, asked.today)]


def edited_by(asked: Asked, person: Person) -> list[Sealed]:
    """Return which of them the person edits: a quarter, others with another seed, and the one that is hidden."""
    return [one for one in files_of(asked, person) if one is HIDDEN or (one.number + asked.shift) % 4 == 0]


async def edit(asked: Asked, person: Person, values: dict[str, Any]) -> str:
    """Edit some of the files that there are for a person in one request; return where its status is."""
    items = [{"filename": one.name, "values": values} for one in edited_by(asked, person)]
    reply = await post(asked, person, "/update_headers", items, 200)
    assert all(one["result"] for one in reply.json())
    await asked.archive.drain()
    return str(reply.headers["Location"])


async def take_back(asked: Asked, person: Person) -> None:
    """Bring the positions of the files back that a person edited, as those do who may know them."""
    for one in edited_by(asked, person):
        await asked.archive.revert(one.name)
    await asked.archive.drain()


async def read(asked: Asked, person: Person, path: str) -> Any:
    """Return an answer that was checked for secrets."""
    reply = await asked.get(person, path)
    assert reply.status_code == 200, reply.text
    assert_tells_nothing_hidden(asked, person, reply.content, path)
    return reply.json() if "json" in reply.headers["content-type"] else reply.text


async def rest(asked: Asked, place: str) -> dict[str, Any]:
    """Work until nothing happens any more to a change set; return what staff sees of it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            # Its step comes back after a pause, for which a worker that has nothing to do does not wait.
            await asked.archive.drain()
            found = await read(asked, STAFF, place)
            if found["state"] in ("previewed", "completed", "reverted"):
                return dict(found)
            await asyncio.sleep(0.05)


def position(value: float) -> dict[str, Any]:
    """Return cards that put a file elsewhere, and one that no file had."""
    return {"generic": {"OBJECT": "Elsewhere", **dict.fromkeys(KEYWORDS, value), "NEWCARD": 1}}


def change_of(item: dict[str, Any], keyword: str) -> dict[str, Any]:
    (found,) = [one for one in item["changes"] if one["keyword"] == keyword]
    return dict(found)


@editors
async def test_the_status_tells_what_was_sent_and_that_it_worked(asked: Asked, person: Person) -> None:
    place = await edit(asked, person, position(1.5))
    items = (await read(asked, person, place))["items"]
    assert {one["state"] for one in items} == {"completed"}
    assert {one["changed"] for one in items} == {True}
    for one, item in zip(edited_by(asked, person), items, strict=True):
        known = person.may_know(one, asked.today)
        change = change_of(item, "OBJECT")
        assert (change["old"], change["new"]) == (one.target if known else None, "Elsewhere"), one.kind
        assert change["created"] is (False if known else None)
        assert change_of(item, "NEWCARD")["created"] is (True if known else None)
        assert {change["keyword"] for change in item["changes"]} == {"OBJECT", "NEWCARD", *KEYWORDS}
    await take_back(asked, person)


async def test_what_others_sent_is_theirs(asked: Asked) -> None:
    place = await edit(asked, STAFF, position(2.5))
    items = (await read(asked, EDITOR, place))["items"]
    for one, item in zip(edited_by(asked, EDITOR), items, strict=True):
        assert bool(item["changes"]) is EDITOR.may_know(one, asked.today), one.kind
    await take_back(asked, STAFF)
    assert [change_of(item, "OBJECT")["new"] for item in (await read(asked, STAFF, place))["items"]] == [
        "Elsewhere"
    ] * len(edited_by(asked, STAFF))


async def test_a_card_that_said_so_already_is_shown_like_the_others(asked: Asked) -> None:
    """Else one could ask for several cards at once, and see which were guessed right."""
    values = {"generic": {"OBJECT": HIDDEN.target, "NEWCARD": 1}}
    reply = await post(
        asked, EDITOR, "/update_headers", [{"filename": HIDDEN.name, "values": values}], code=200
    )
    await asked.archive.drain()
    # What the editor sent is a secret, too, by chance.
    (item,) = (await asked.get(EDITOR, reply.headers["Location"])).json()["items"]
    assert [(one["keyword"], one["new"]) for one in item["changes"]] == [
        ("OBJECT", HIDDEN.target),
        ("NEWCARD", 1),
    ]
    await asked.archive.revert(HIDDEN.name)
    await asked.archive.drain()


@editors
async def test_no_reason_quotes_a_card(asked: Asked, person: Person) -> None:
    """A revert is refused because of a later edit, and names the card that the reverted one had written."""
    await edit(asked, STAFF, position(3.5))
    await asked.archive.set(HIDDEN.name, OBJECT=HIDDEN.target)
    *_, secret = await asked.archive.edits(HIDDEN.name)
    await asked.archive.set(HIDDEN.name, OBJECT="Nowhere")
    asking = await post(asked, person, f"/v1/edits/{secret}/revert", {"why": "a look"})
    number = asking.json()["order"]
    await asked.archive.drain()
    known = person.may_know(HIDDEN, asked.today)
    order = await read(asked, person, f"/v1/orders/{number}")
    assert order["state"] == "Failed"
    events = await read(asked, person, f"/v1/orders/{number}/events")
    (failed,) = [
        one
        for one in (await read(asked, person, f"/v1/files/{HIDDEN.name}/edits"))["edits"]
        if one["order"] == number
    ]
    assert order["error"] == failed["error"]
    assert (HIDDEN.target in order["error"]) is known
    assert (order["error"] == WITHHELD) is not known
    assert (WITHHELD in events) is not known
    everything = await read(asked, person, "/v1/edits?limit=1000")
    cards = [one["cards"] for one in everything["edits"] if one["name"] == HIDDEN.name]
    assert len(cards) > 2
    assert all((one is not None) is known for one in cards)
    for _ in range(2):
        await asked.archive.revert(HIDDEN.name)
    await take_back(asked, STAFF)


async def dry_run(asked: Asked, person: Person, **wanted: Any) -> dict[str, Any]:
    """Ask what a change set would do; return the answer, which nobody has looked through."""
    body = {"dry_run": True, "samples": 100, **wanted}
    reply = await post(asked, person, "/v1/changesets", body)
    await rest(asked, reply.headers["Location"])
    found = (await asked.get(person, reply.headers["Location"])).json()
    assert found["state"] == "previewed", found
    return dict(found)


@editors
async def test_a_dry_run_shows_cards_of_files_that_may_be_read(asked: Asked, person: Person) -> None:
    files = files_of(asked, person)
    found = await dry_run(asked, person, names=[one.name for one in files], values=position(4.5))
    assert_tells_nothing_hidden(asked, person, json.dumps(found).encode(), "dry run")
    told = {one.name for one in FILES if person.may_know(one, asked.today)}
    preview = found["preview"]
    assert {one["file"] for one in preview["samples"]} == told
    counts = {key: preview[key] for key in ("matched", "would_change", "unchanged", "refused", "withheld")}
    assert counts == {
        "matched": len(files),
        "would_change": len(told),
        "unchanged": 0,
        "refused": 0,
        "withheld": len(files) - len(told),
    }


@pytest.mark.parametrize("reject_new", [False, True])
async def test_a_dry_run_answers_right_and_wrong_guesses_alike(asked: Asked, reject_new: bool) -> None:
    guesses: list[dict[str, Any]] = [
        {"OBJECT": HIDDEN.target}, {"OBJECT": "Wrong"}, {"RA": HIDDEN.place[0]}, {"RA": 7.5}, {"NOCARD": 1},
    ]  # fmt: skip
    answers: dict[str, list[Any]] = {EDITOR.name: [], GRANTED.name: []}
    for person in (EDITOR, GRANTED):
        for guess in guesses:
            found = await dry_run(
                asked, person, names=[HIDDEN.name], values={"generic": guess}, reject_new=reject_new
            )
            answers[person.name].append(found["preview"])
    assert answers[EDITOR.name] == [answers[EDITOR.name][0]] * len(guesses)
    assert answers[EDITOR.name][0]["withheld"] == 1
    assert [one["unchanged"] for one in answers[GRANTED.name]] == [1, 0, 1, 0, 0]


def conditions(one: Sealed) -> list[dict[str, Any]]:
    """Return every way to say which files are meant by what their headers tell of a position."""
    ra, dec = one.place
    near = [f"ra={ra}/dec={dec}", f"object={one.target}", f"object={one.target[:-1]}*"]
    keywords = [f"OBJECT={one.target}", *(f"{key}={value!r}" for key, value in one.positions.items())]
    return [{"selection": [text]} for text in near] + [{"keywords": [text]} for text in keywords]


async def test_conditions_on_positions_mean_no_hidden_file(asked: Asked) -> None:
    for wanted in conditions(HIDDEN):
        for person in (EDITOR, GRANTED, STAFF):
            found = await dry_run(asked, person, values={"generic": {"NEWCARD": 1}}, **wanted)
            assert found["preview"]["matched"] == (person is not EDITOR), (wanted, person.name)
    reply = await post(
        asked,
        EDITOR,
        "/v1/changesets",
        {"keywords": [f"OBJECT={HIDDEN.target}"], "values": {"generic": {"NEWCARD": 1}}},
    )
    await rest(asked, reply.headers["Location"])
    found = (await asked.get(EDITOR, reply.headers["Location"])).json()
    assert (found["state"], found["matched"]) == ("completed", 0)


async def test_what_a_change_set_of_others_says_is_theirs(asked: Asked) -> None:
    """So is what a dry run of others found, who may know more."""
    secret = {
        "names": [HIDDEN.name],
        "values": {"generic": {"OBJECT": HIDDEN.target + "S", "NEWCARD": 1}},
        "why": "tests",
    }
    dry = await dry_run(asked, STAFF, **secret)
    looked = {"keywords": [f"OBJECT={HIDDEN.target}"], "values": {"generic": {"NEWCARD": 1}}}
    dry_of_a_look = await dry_run(asked, STAFF, **looked)
    assert HIDDEN.target in json.dumps(dry["preview"])
    for one in (dry, dry_of_a_look):
        seen = await read(asked, EDITOR, f"/v1/changesets/{one['id']}")
        assert (seen["state"], seen["values"], seen["keywords"]) == ("previewed", None, None)
        assert seen["preview"] is None
    reply = await post(asked, STAFF, "/v1/changesets", secret)
    place = reply.headers["Location"]
    await rest(asked, place)
    seen = await read(asked, EDITOR, place)
    assert (seen["state"], seen["values"], seen["matched"]) == ("completed", None, 1)
    assert (await read(asked, STAFF, place))["values"] == secret["values"]
    assert [one["state"] for one in (await read(asked, EDITOR, f"{place}/files"))["files"]] == ["changed"]
    listed = (await read(asked, EDITOR, "/v1/changesets?limit=1"))["changesets"]
    assert listed[0]["values"] is None
    await asked.archive.set(HIDDEN.name, OBJECT="Nowhere")
    await post(asked, EDITOR, f"{place}/revert", {})
    await asked.archive.drain()
    assert (await rest(asked, place))["state"] == "reverted"
    seen = await read(asked, EDITOR, place)
    assert [one["error"] for one in seen["errors"]] == [WITHHELD]
    (kept,) = (await read(asked, EDITOR, f"{place}/files"))["files"]
    assert (kept["state"], kept["error"]) == ("kept", WITHHELD)
    assert HIDDEN.target in (await read(asked, STAFF, place))["errors"][0]["error"]
    for _ in range(2):
        await asked.archive.revert(HIDDEN.name)
    await asked.archive.drain()


async def test_change_sets_of_open_files_are_shown_whole(asked: Asked) -> None:
    one = sealed("to be released", "")
    body = {"names": [one.name], "values": {"generic": {"NEWCARD": 1}}}
    reply = await post(asked, STAFF, "/v1/changesets", body)
    await rest(asked, reply.headers["Location"])
    assert (await read(asked, EDITOR, reply.headers["Location"]))["values"] == body["values"]
    await asked.archive.revert(one.name)
    await asked.archive.drain()


SECRET = sealed("to be released", ".bz2", Level.HIDDEN)
"""Not even its name is for editors who may not read everything."""
ABSENT = replace(SECRET, number=9999)


async def alike(asked: Asked, method: str, path: str, content: Any = None) -> int:
    """Ask about a file that is hidden and about one that is not there; return the status of both answers."""
    replies = []
    for one in (SECRET, ABSENT):
        text = json.dumps(content).replace(SECRET.observation, one.observation).replace(SECRET.name, one.name)
        address = path.replace(SECRET.name, one.name)
        body = {"content": text} if content is not None else {}
        reply = await asked.client.request(method, address, headers=asked.headers(EDITOR), **body)
        told = reply.text.replace(one.name, "NAME").replace(one.observation, "OBSERVATION")
        replies.append((reply.status_code, told))
    assert replies[0] == replies[1], path
    return replies[0][0]


async def test_editors_cannot_tell_a_hidden_file_from_none(asked: Asked) -> None:
    edited = await asked.archive.set(SECRET.name, NEWCARD=1)
    assert edited is not None
    values = {"generic": {"NEWCARD": 2}}
    for target in (
        {"filename": SECRET.name},
        {"filename": f"{SECRET.name}.bz2"},
        {"data_label": f"{SECRET.observation}-001"},
    ):
        assert await alike(asked, "POST", "/update_headers", [{**target, "values": values}]) == 200
    assert await alike(asked, "POST", f"/v1/files/{SECRET.name}/edits", {"values": values}) == 404
    assert await alike(asked, "GET", f"/v1/files/{SECRET.name}/edits") == 404
    assert SECRET.name not in json.dumps(await read(asked, EDITOR, "/v1/edits?limit=1000"))
    assert SECRET.name in json.dumps(await read(asked, STAFF, "/v1/edits?limit=1000"))
    *_, number = await asked.archive.edits(SECRET.name)
    for path in (f"/v1/edits/{number}/revert", f"/v1/edits/{number + 10_000}/revert"):
        assert (await asked.client.post(path, headers=asked.headers(EDITOR))).status_code == 404
    await asked.archive.revert(SECRET.name)


async def test_change_sets_mean_no_hidden_file_and_name_none(asked: Asked) -> None:
    wanted = {"names": [SECRET.name], "values": {"generic": {"NEWCARD": 1}}, "why": "tests"}
    for body in (wanted, {**wanted, "dry_run": True}):
        reply = await post(asked, EDITOR, "/v1/changesets", body)
        await asked.archive.drain()
        found = (await asked.get(EDITOR, reply.headers["Location"])).json()
        assert (found["state"], "not in the archive" in found["error"]) == ("failed", True)
    selected = await dry_run(asked, EDITOR, selection=["present"], values=wanted["values"])
    assert selected["preview"]["matched"] == len(files_of(asked, EDITOR))
    reply = await post(asked, STAFF, "/v1/changesets", wanted)
    place = reply.headers["Location"]
    assert (await rest(asked, place))["state"] == "completed"
    for path in (place, f"{place}/files", "/v1/changesets?limit=1"):
        assert SECRET.name not in json.dumps(await read(asked, EDITOR, path)), path
    assert [one["file"] for one in (await read(asked, STAFF, f"{place}/files"))["files"]] == [SECRET.name]
    await asked.archive.revert(SECRET.name)
    await asked.archive.drain()


async def test_orders_of_others_about_hidden_files_are_none(asked: Asked) -> None:
    items = [{"filename": SECRET.name, "values": {"generic": {"NEWCARD": 1}}}]
    asking = await post(asked, STAFF, "/update_headers", items, 200)
    await asked.archive.drain()
    query = "SELECT id FROM work_order WHERE args ->> 'name' = $1 OR args ->> 'filename' = $2"
    async with asked.archive.context.database.raw() as connection:
        orders = [row["id"] for row in await connection.fetch(query, SECRET.name, SECRET.stored)]
    assert len(orders) > 1
    for number in orders:
        for path in (f"/v1/orders/{number}", f"/v1/orders/{number}/events"):
            assert (await asked.get(EDITOR, path)).status_code == 404, path
            assert (await asked.get(STAFF, path)).status_code == 200, path
    assert (await read(asked, EDITOR, asking.headers["Location"]))["items"] == []
    assert len((await read(asked, STAFF, asking.headers["Location"]))["items"]) == 1
    await asked.archive.revert(SECRET.name)
    await asked.archive.drain()
