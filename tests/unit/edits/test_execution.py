"""Orders carried out on a file in memory: its starting point, its outcome, its answers."""

from __future__ import annotations

import bz2
import gzip
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from armillary.archive.catalog.models import Location, Version
from armillary.archive.models import SMALL
from armillary.base.store.errors import ChangedOutside
from armillary.base.work import Order
from armillary.edits.apply import HduEffect
from armillary.edits.errors import DigestMismatch, ExtensionNotFound, ItemRefused
from armillary.edits.execution import (
    Execution,
    Judged,
    change_to_json,
    execute,
    headers_digest,
    intent_of,
    results_of,
)
from armillary.edits.models import EditRequest
from armillary.edits.validation import Rules
from armillary.fits.bzip2 import unsplice
from armillary.fits.container_errors import UnpackedTooLarge
from armillary.fits.crc import crc64
from armillary.fits.models import BLOCK, CardEffect, Value
from armillary.fits.plan import apply_plan
from tests.support.headers import a_file, a_layout
from tests.support.memory_store import MemoryStore
from tests.support.requests import RULES, a_request
from tests.support.versions import NAME, a_version, an_order

PLAIN = a_file(cards=[("OBJECT", "M 1", ""), ("EXPTIME", 12.5, "[s]")])
LAYOUT = a_layout(PLAIN)
LIMIT = 1 << 30
FORMS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes], str]] = {
    "plain": (bytes, bytes, NAME),
    "bz2": (bz2.compress, bz2.decompress, f"{NAME}.bz2"),
    "gz": (lambda data: gzip.compress(data, mtime=1), gzip.decompress, f"{NAME}.gz"),
}


def version_of(stored: bytes, form: str = "plain", **values: Any) -> Version:
    return a_version(stored, location=Location(1, "", FORMS[form][2]), **values)


async def carried_out(
    version: Version,
    stored: bytes,
    *requests: EditRequest | Order,
    mtime_ns: int = 1,
    rules: Rules = RULES,
    limit: int = LIMIT,
) -> Execution:
    """Carry requests out, in their order, on stored bytes that a version may be the record of."""
    store = MemoryStore()
    await store.write(version.location.key, stored, mtime_ns=mtime_ns)
    orders = [
        replace(one, id=at) if isinstance(one, Order) else an_order(one, id=at)
        for at, one in enumerate(requests, 1)
    ]
    return execute(store, version, orders, rules, max_unpacked=limit)


def outcome(execution: Execution, content: bytes = PLAIN) -> bytes:
    """Return the uncompressed bytes after the edit of these."""
    return apply_plan(content, execution.plan())


def objects(values: Sequence[Judged]) -> list[tuple[Value, Value]]:
    return [(one.effect.old, one.effect.new) for judged in values for one in judged.effects]


def setting(name: str, **fields: Any) -> EditRequest:
    return a_request(("OBJECT", name), **fields)


def resuming(request: EditRequest, intent: dict[str, Any]) -> Order:
    return an_order(request, intent=intent)


@pytest.mark.parametrize("form", FORMS)
async def test_an_edit_has_new_bytes_their_checksums_and_digests(form: str) -> None:
    compress, decompress, _ = FORMS[form]
    stored = compress(PLAIN)
    version = version_of(stored, form)
    found = await carried_out(version, stored, setting("M 2"))
    new = outcome(found)
    assert new != PLAIN
    assert a_layout(new) == found.target
    assert (found.container, found.changed, found.must_write, found.resumed) == (form, True, True, False)
    assert (found.disk, found.stored.size) == (LAYOUT, len(stored))
    assert found.target_crc() == crc64(new)
    assert objects(found.judged) == [("M 1", "M 2")]
    if form == "plain":
        assert found.rewrite is None
        assert found.digested is not None
        md5, sha256 = hashlib.md5(new).hexdigest(), hashlib.sha256(new).hexdigest()
        assert found.digested.digests == {
            "data_md5": md5, "data_sha256": sha256, "file_md5": md5, "file_sha256": sha256
        }  # fmt: skip
        return
    assert found.rewrite is not None
    assert decompress(bytes(found.rewrite.data)) == new
    assert found.rewrite.crc == crc64(found.rewrite.data)
    assert found.digested is None


async def test_recipes_of_compressed_files_lead_back() -> None:
    for form, mark in (("bz2", b"B"), ("gz", b"W")):
        stored = FORMS[form][0](PLAIN)
        found = await carried_out(version_of(stored, form), stored, setting("M 2"))
        assert found.rewrite is not None
        assert found.rewrite.undo[:1] == mark
        recipe = found.rewrite.undo[1:]
        assert (bytes(unsplice(found.rewrite.data, recipe)) if form == "bz2" else recipe) == stored


async def test_orders_are_applied_in_turn_and_one_that_fails_changes_nothing() -> None:
    version = version_of(PLAIN)
    found = await carried_out(
        version,
        PLAIN,
        setting("M 2"),
        setting("M 3", reject_new=True, primary=a_request(("NEW", 1)).cards),
        a_request(("OBJECT", "M 4"), extension="NONE"),
        an_order(None, args={"edit": "{}"}),
        setting("M 5"),
        setting("M 5"),
    )
    errors = [one.error for one in found.judged]
    assert [one.order.id for one in found.judged] == [1, 2, 3, 4, 5, 6]
    assert [type(error) for error in errors] == [
        type(None), ItemRefused, ExtensionNotFound, ItemRefused, type(None), type(None)
    ]  # fmt: skip
    assert objects(found.judged) == [("M 1", "M 2"), ("M 2", "M 5")]
    assert b"'M 5     '" in outcome(found)


async def test_the_rules_of_the_site_hold_for_the_worker() -> None:
    rules = Rules(frozenset(["object"]))
    found = await carried_out(version_of(PLAIN), PLAIN, setting("M 2"), rules=rules)
    (judged,) = found.judged
    assert judged.error is not None
    assert judged.error.message == "Protected keyword: OBJECT"
    assert not found.changed


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("requests", [[], [setting("M 1")], [setting("M 2"), setting("M 1")]])
async def test_what_comes_to_nothing_writes_nothing(form: str, requests: list[EditRequest]) -> None:
    stored = FORMS[form][0](PLAIN)
    found = await carried_out(version_of(stored, form), stored, *requests)
    assert (found.changed, found.must_write) == (False, False)
    assert (found.rewrite, found.digested, found.plan().splices) == (None, None, ())


async def test_the_intent_names_the_headers_before_and_after() -> None:
    found = await carried_out(version_of(PLAIN), PLAIN, *[a_request((f"N{n}", n)) for n in range(60)])
    after = outcome(found)
    assert len(after) == len(PLAIN) + BLOCK
    assert intent_of(found, "recipe") == {
        "before": hashlib.sha256(b"".join(LAYOUT.headers)).hexdigest(),
        "after": headers_digest(a_layout(after).headers),
        "size_before": len(PLAIN),
        "size_after": len(after),
        "undo_before": None,
        "undo": "recipe",
        "resumed": False,
    }


@pytest.mark.parametrize("form", FORMS)
async def test_an_interrupted_run_is_recognised_by_its_intent(form: str) -> None:
    compress = FORMS[form][0]
    version = version_of(compress(PLAIN), form)
    first = await carried_out(version, compress(PLAIN), setting("M 2"))
    intent, landed = dict(intent_of(first, "recipe")), outcome(first)
    again = await carried_out(version, compress(landed), resuming(setting("M 2"), intent), mtime_ns=2)
    assert (again.resumed, again.undo, again.changed, again.must_write) == (True, "recipe", True, True)
    assert again.disk == again.target == first.target
    assert apply_plan(PLAIN, again.plan()) == landed
    assert objects(again.judged) == [("M 1", "M 2")]
    assert intent_of(again, "other") == {
        **intent, "before": intent["after"], "size_before": len(landed), "undo_before": "recipe",
        "undo": "other", "resumed": True,
    }  # fmt: skip


async def test_a_run_that_resumed_one_and_was_interrupted_itself_may_have_left_either_state() -> None:
    version = version_of(PLAIN)
    first = await carried_out(version, PLAIN, setting("M 2"))
    landed, intent = outcome(first), dict(intent_of(first, "first"))
    orders = [resuming(setting("M 2"), intent), setting("M 3")]
    second = await carried_out(version, landed, *orders, mtime_ns=2)
    assert objects(second.judged) == [("M 1", "M 2"), ("M 2", "M 3")]
    assert second.resumed
    both = [resuming(setting("M 2"), dict(intent_of(second, "second"))), setting("M 3")]
    final = outcome(second, landed)
    for disk, undo in ((landed, "first"), (final, "second")):
        third = await carried_out(version, disk, *both, mtime_ns=3)
        assert (third.resumed, third.undo, third.target) == (True, undo, second.target)


async def test_a_state_before_is_only_one_of_a_run_that_had_resumed() -> None:
    version = version_of(PLAIN)
    other = outcome(await carried_out(version, PLAIN, setting("M 9")))
    intent = {
        "before": headers_digest(a_layout(other).headers), "after": "0", "undo": None, "undo_before": "x",
        "resumed": False,
    }  # fmt: skip
    with pytest.raises(ChangedOutside):
        await carried_out(version, other, resuming(setting("M 2"), intent), mtime_ns=2)
    found = await carried_out(
        version, other, resuming(setting("M 2"), {**intent, "resumed": True}), mtime_ns=2
    )
    assert (found.resumed, found.undo) == (True, "x")


@pytest.mark.parametrize("form", FORMS)
async def test_a_file_that_was_only_touched_is_the_recorded_one(form: str) -> None:
    stored = FORMS[form][0](PLAIN)
    found = await carried_out(version_of(stored, form), stored, setting("M 2"), mtime_ns=2)
    assert (found.resumed, found.disk) == (False, LAYOUT)
    assert objects(found.judged) == [("M 1", "M 2")]


async def test_the_same_content_compressed_otherwise_is_the_recorded_one() -> None:
    found = await carried_out(
        version_of(bz2.compress(PLAIN), "bz2"), bz2.compress(PLAIN, 1), setting("M 1"), mtime_ns=2
    )
    assert (found.resumed, found.changed, found.must_write) == (False, False, False)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("damage", ["header", "data", "length"])
async def test_a_file_that_somebody_changed_is_left_alone(form: str, damage: str) -> None:
    compress, _, name = FORMS[form]
    other = {
        "header": PLAIN.replace(b"'M 1     '", b"'M 7     '"),
        "data": PLAIN[:-BLOCK] + b"\x01" + PLAIN[-BLOCK + 1 :],
        "length": PLAIN + b"x",
    }[damage]
    version = version_of(compress(PLAIN), form)
    with pytest.raises(ChangedOutside) as caught:
        await carried_out(version, compress(other), setting("M 2"), mtime_ns=2)
    assert caught.value.message == (
        f"{name} was changed outside Armillary; ingest it again, then repeat the edit."
    )


async def test_headers_as_intended_over_other_data_are_not_ours() -> None:
    version = version_of(PLAIN)
    first = await carried_out(version, PLAIN, setting("M 2"))
    landed = outcome(first)
    foreign = landed[:-BLOCK] + b"\x01" + landed[-BLOCK + 1 :]
    order = resuming(setting("M 2"), dict(intent_of(first, None)))
    with pytest.raises(ChangedOutside):
        await carried_out(version, foreign, order, mtime_ns=2)


async def test_another_header_is_seen_even_if_the_time_stamp_is_that_of_the_record() -> None:
    other = PLAIN.replace(b"'M 1     '", b"'M 7     '")
    with pytest.raises(ChangedOutside):
        await carried_out(version_of(PLAIN), other, setting("M 2"))


async def test_digests_of_data_that_rotted_are_not_recorded() -> None:
    rotten = PLAIN[:-BLOCK] + b"\x01" + PLAIN[-BLOCK + 1 :]
    found = await carried_out(version_of(PLAIN), rotten, setting("M 2"))
    assert found.changed
    assert found.digested is None
    assert found.target_crc() == crc64(outcome(await carried_out(version_of(PLAIN), PLAIN, setting("M 2"))))


@pytest.mark.parametrize("form", FORMS)
async def test_conditions_are_compared_where_their_order_stands(form: str) -> None:
    stored = FORMS[form][0](PLAIN)
    version = version_of(stored, form)
    before = hashlib.md5(PLAIN).hexdigest()
    after = hashlib.md5(outcome(await carried_out(version, stored, setting("M 2")))).hexdigest()
    good = setting("M 2", if_data_md5=before, expect_data_md5=after)
    found = await carried_out(version, stored, good, setting("M 3", if_data_md5=after))
    assert objects(found.judged) == [("M 1", "M 2"), ("M 2", "M 3")]
    for order, message in (
        (setting("M 3", if_data_md5=before), f"if_data_md5 is {before}, but the content has {after}"),
        (setting("M 2", expect_data_md5=before), f"expect_data_md5 is {before}, but the content has {after}"),
    ):
        found = await carried_out(version, stored, good, order)
        _, judged = found.judged
        assert isinstance(judged.error, DigestMismatch)
        assert judged.error.message == message
        assert objects(found.judged) == [("M 1", "M 2")]


@pytest.mark.parametrize("form", FORMS)
async def test_digests_that_were_compared_are_those_of_the_outcome_if_nothing_came_after(form: str) -> None:
    stored = FORMS[form][0](PLAIN)
    version = version_of(stored, form)
    new = outcome(await carried_out(version, stored, setting("M 2")))
    checked = setting("M 2", expect_data_md5=hashlib.md5(new).hexdigest())
    found = await carried_out(version, stored, checked, setting("M 2"))
    assert found.digested is not None
    written = new if found.rewrite is None else bytes(found.rewrite.data)
    assert found.digested.digests == {
        "data_md5": hashlib.md5(new).hexdigest(),
        "data_sha256": hashlib.sha256(new).hexdigest(),
        "file_md5": hashlib.md5(written).hexdigest(),
        "file_sha256": hashlib.sha256(written).hexdigest(),
    }
    later = await carried_out(version, stored, checked, setting("M 3"))
    assert later.checked_digests() is None
    assert (later.digested is None) == (form != "plain")


async def test_digests_of_large_files_are_left_to_others() -> None:
    large = PLAIN + b"\0" * (SMALL + 1 - len(PLAIN))
    version = version_of(large)
    found = await carried_out(version, large, setting("M 2"))
    assert (found.changed, found.digested) == (True, None)
    exact = large[:SMALL]
    assert (await carried_out(version_of(exact), exact, setting("M 2"))).digested is not None


async def test_data_are_summed_where_checksums_contradict_each_other_unless_the_sum_is_known() -> None:
    wrong = PLAIN.replace(b"'M 1     '", b"'M 8     '")
    found = await carried_out(version_of(wrong), wrong, setting("M 2"))
    (total,) = found.sums.items()
    known = replace(version_of(wrong), hdus=tuple(
        replace(hdu, data_sum=total[1]) if hdu.data_size and not at else hdu
        for at, hdu in enumerate(version_of(wrong).hdus)
    ))  # fmt: skip
    assert total[0] == 0
    again = await carried_out(known, wrong, setting("M 2"))
    assert (again.sums, again.target) == ({}, found.target)
    assert (await carried_out(version_of(PLAIN), PLAIN, setting("M 2"))).sums == {}


async def test_a_bomb_is_not_unpacked() -> None:
    for form in ("bz2", "gz"):
        stored = FORMS[form][0](PLAIN)
        version = version_of(stored, form)
        assert (await carried_out(version, stored, setting("M 2"), limit=len(PLAIN))).changed
        with pytest.raises(UnpackedTooLarge):
            await carried_out(version, stored, setting("M 2"), limit=len(PLAIN) - 1)
    assert (await carried_out(version_of(PLAIN), PLAIN, setting("M 2"), limit=1)).changed


@pytest.mark.parametrize(
    ("value", "shown"),
    [("x", "x"), (5, 5), (1.5, 1.5), (True, True), (None, None), (1 + 2j, "(1+2j)")],
)
def test_an_effect_is_told_with_the_values_of_its_cards(value: Value, shown: object) -> None:
    effect = HduEffect(2, CardEffect("A", value, 5, False, b"", b""))
    created = HduEffect(0, CardEffect("B", None, value, True, b"", b""))
    told = {"extension": 2, "keyword": "A", "old": shown, "new": 5, "created": False}
    assert change_to_json(effect) == told
    digests = {"data_md5_after": "m"}
    assert results_of(Judged(an_order(), (effect, created)), digests, changed=True) == {
        "changed": True,
        "changes": [told, {"extension": 0, "keyword": "B", "old": None, "new": shown, "created": True}],
        "data_md5_after": "m",
    }
    assert results_of(Judged(an_order()), {}, changed=False) == {"changed": False, "changes": []}
