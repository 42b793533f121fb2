"""What every log of samples does, whatever it is made of."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import pytest

from armillary.base.bus.errors import TooManySamples
from armillary.base.bus.models import MOST_SAMPLES, AsOf, Filter, Question, Range, Sample, Start, Stored
from armillary.base.feed.errors import FeedCursorGone
from tests.conformance.bus.logs import MAX_PAYLOAD, SKEW_NS, Log, S, a_sample


def values(found: list[Stored]) -> list[Any]:
    return [one.payload["value"] for one in found]


async def test_a_sample_comes_back_as_it_was_published(log: Log) -> None:
    given = a_sample(log.now - S, source="weather:301", kind="event", expires=log.now + S)
    (offset,) = await log.put(given)
    found = await log.bus.asof("weather:301", "state", log.now)
    assert found == Stored(
        **{name: getattr(given, name) for name in Sample.__struct_fields__},
        offset=offset,
        t_received=log.now,
        assumed=False,
        skewed=False,
    )


@pytest.mark.parametrize(
    "value",
    [
        *(0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1),
        *(0.0, -0.0, 1.0, 1e5, 0.1, 5e-324, 1.7976931348623157e308),
        *("", "text", "\u00e9\U0001f52d", "NaN", 'back\\slash "quoted" \\u0000'),
        *(True, False, None, [], {}, [1, [2.0, {"a": None}]], {"null": None, "": {"a.b": 1}}),
    ],
)
async def test_values_are_exact(log: Log, value: Any) -> None:
    await log.put(a_sample(1, payload={"value": value}))
    found = await log.bus.asof("camera", "state", 1)
    assert found is not None
    assert repr(found.payload["value"]) == repr(value)


async def test_numbers_that_are_not_finite_are_kept(log: Log) -> None:
    given = {"a": [1.0, math.nan, None, [math.inf]], "b.c": {"d": -math.inf}, "nan": "NaN"}
    await log.put(a_sample(1, payload=given))
    found = await log.bus.asof("camera", "state", 1)
    assert found is not None
    assert repr(found.payload) == repr(given)


async def test_the_value_in_force_is_the_latest_that_was_valid_by_then(log: Log) -> None:
    await log.put(a_sample(30), a_sample(10), a_sample(20))
    asked = [await log.bus.asof("camera", "state", t) for t in (9, 10, 19, 20, 29, 30, 2**63 - 1)]
    assert [one and one.t_event for one in asked] == [None, 10, 10, 20, 20, 30, 30]


async def test_of_samples_of_one_instant_the_highest_number_counts(log: Log) -> None:
    await log.put(a_sample(10, 7), a_sample(10, 9), a_sample(10, 8))
    found = await log.bus.asof("camera", "state", 10)
    assert found is not None
    assert found.seq == 9
    assert [one.seq for one in await log.bus.range("camera", "state", 10, 10)] == [7, 8, 9]


async def test_late_samples_take_their_place(log: Log) -> None:
    await log.put(a_sample(log.now))
    log.clock.advance(3600)
    late = log.now - 3700 * S
    await log.put(a_sample(late))
    found = await log.bus.asof("camera", "state", late + S)
    assert found is not None
    assert (found.t_event, found.skewed) == (late, True)


async def test_topics_and_sources_are_apart(log: Log) -> None:
    await log.put(a_sample(1), a_sample(2, topic="other"), a_sample(3, source="other"))
    assert values(await log.bus.range("camera", "state", 0, 9)) == [1]
    assert await log.bus.asof("camera", "nothing", 9) is None
    assert await log.bus.asof("nobody", "state", 9) is None


async def test_a_sample_is_stored_once(log: Log) -> None:
    one, two = a_sample(1), a_sample(2)
    first = await log.bus.publish([one, two, one])
    assert (len(first.offsets), first.duplicates) == (2, [2])
    again = await log.bus.publish([a_sample(3), two, a_sample(9, one.seq)])
    assert (len(again.offsets), again.duplicates) == (1, [1, 2])
    assert values(await log.bus.range("camera", "state", 0, 9)) == [1, 2, 3]


@pytest.mark.parametrize("part", ["source", "topic", "epoch"])
async def test_what_differs_in_one_part_of_the_identity_is_another_sample(log: Log, part: str) -> None:
    one = a_sample(1)
    other = a_sample(1, one.seq, **{part: "other"})
    assert len(await log.put(one, other)) == 2


async def test_without_an_event_time_that_of_the_arrival_is_assumed(log: Log) -> None:
    await log.put(a_sample())
    found = await log.bus.asof("camera", "state", log.now)
    assert found is not None
    assert (found.t_event, found.assumed, found.skewed) == (log.now, True, False)
    assert await log.bus.asof("camera", "state", log.now - 1) is None


@pytest.mark.parametrize(
    ("off", "skewed"),
    [(0, False), (SKEW_NS, False), (-SKEW_NS, False), (SKEW_NS + 1, True), (-SKEW_NS - 1, True)],
)
async def test_a_wrong_clock_is_flagged_and_believed(log: Log, off: int, skewed: bool) -> None:
    await log.put(a_sample(log.now + off))
    found = await log.bus.asof("camera", "state", log.now + off)
    assert found is not None
    assert (found.t_event, found.skewed) == (log.now + off, skewed)


@pytest.mark.parametrize("t", [-(2**63), 2**63 - 1])
async def test_absurd_times_are_stored(log: Log, t: int) -> None:
    await log.put(a_sample(t))
    assert values(await log.bus.range("camera", "state", t, t)) == [t]


async def test_an_interval_is_closed_and_begins_with_what_was_in_force(log: Log) -> None:
    await log.put(*map(a_sample, (10, 20, 30, 40)))
    bounds = [(15, 30), (20, 30), (21, 29), (0, 9), (0, 10), (41, 50), (25, 22)]
    found = [values(await log.bus.range("camera", "state", *one)) for one in bounds]
    assert found == [[10, 20, 30], [20, 30], [20], [], [10], [40], [20]]
    assert values((await log.bus.answer([Range("camera", "state", 15, 40, 2)]))[0]) == [10, 20, 30]


async def test_questions_are_answered_in_their_order(log: Log) -> None:
    await log.put(a_sample(10), a_sample(20, topic="other"), a_sample(30))
    asked: list[Question] = [
        Range("camera", "state", 0, 99),
        AsOf("camera", "nothing", 99),
        AsOf("camera", "other", 99),
        AsOf("camera", "state", 29),
        AsOf("camera", "state", 29),
    ]
    assert list(map(values, await log.bus.answer(asked))) == [[10, 30], [], [20], [10], [10]]
    assert await log.bus.answer([]) == []


async def test_answers_are_those_of_a_plain_search(log: Log) -> None:
    chance = random.Random(1)
    given = [a_sample(chance.randrange(200), topic=chance.choice("ab")) for _ in range(400)]
    for at in range(0, len(given), 50):
        await log.put(*given[at : at + 50])
    asked = [AsOf("camera", chance.choice("abc"), chance.randrange(-5, 210)) for _ in range(200)]
    for question, found in zip(asked, await log.bus.answer(asked), strict=True):
        known = [one for one in given if one.topic == question.topic and (one.t_event or 0) <= question.t]
        best = max(known, key=lambda one: (one.t_event, one.seq), default=None)
        assert [one.identity for one in found] == ([best.identity] if best else [])


async def test_only_samples_that_match_count(log: Log) -> None:
    def image(t: int, name: str) -> Sample:
        return a_sample(t, payload={"value": t, "image": {"id": name, "a,b": "{"}, "n": 169})

    await log.put(image(10, "A_1"), image(20, "A_2"), image(30, "A_1"), a_sample(40, payload={"value": 40}))
    asked = [("image.id", "A_1"), ("image.id", "A_2"), ("image.id", "A_3"), ("n", "169"), ("image.a,b", "{")]
    found = await log.bus.answer([AsOf("camera", "state", 99, match) for match in asked])
    assert list(map(values, found)) == [[30], [20], [], [30], [30]]
    early = await log.bus.asof("camera", "state", 29, match=("image.id", "A_1"))
    assert early is not None
    assert early.t_event == 10


@pytest.mark.parametrize(
    "bad",
    [
        *({"source": ""}, {"topic": "x" * 201}, {"epoch": "a\nb"}, {"source": "a\0b"}, {"topic": "\ud800"}),
        *({"seq": 2**63}, {"t_event": 2**63}, {"expires": -(2**63) - 1}),
        *({"payload": {"a": "x" * MAX_PAYLOAD}}, {"payload": {"a": "\0"}}, {"payload": {"\0": 1}}),
        *({"payload": {"a": "\ud800"}}, {"payload": {"a": ...}}),
    ],
    ids=repr,
)
async def test_what_cannot_be_stored_is_refused_alone(log: Log, bad: dict[str, Any]) -> None:
    found = await log.bus.publish([a_sample(1), a_sample(2, **({"t_event": 2} | bad)), a_sample(3)])
    assert (len(found.offsets), found.duplicates, [one.index for one in found.rejects]) == (2, [], [1])
    assert found.rejects[0].reason.startswith(next(iter(bad)))
    assert values(await log.bus.range("camera", "state", 0, 9)) == [1, 3]


async def test_deep_payloads_are_refused(log: Log) -> None:
    deep: Any = 1
    for _ in range(101):
        deep = [deep]
    flat = {"a": [[n] for n in range(200)]}
    found = await log.bus.publish([a_sample(1, payload={"a": deep}), a_sample(2, payload=flat)])
    assert ([one.index for one in found.rejects], len(found.offsets)) == ([0], 1)


async def test_too_many_samples_are_refused_whole(log: Log) -> None:
    with pytest.raises(TooManySamples):
        await log.bus.publish([a_sample(1)] * (MOST_SAMPLES + 1))
    assert await log.bus.asof("camera", "state", 9) is None


async def test_many_samples_are_stored_at_once(log: Log) -> None:
    offsets = await log.put(*(a_sample(n) for n in range(2300)))
    assert len(set(offsets)) == 2300
    assert offsets == sorted(offsets)
    assert values(await log.bus.range("camera", "state", 0, 9999)) == list(range(2300))
    assert values(await log.told(Start(at="earliest"), 2300)) == list(range(2300))


async def test_followers_are_told_in_the_order_of_offsets(log: Log) -> None:
    offsets = await log.put(a_sample(30), a_sample(10)) + await log.put(a_sample(20))
    found = await log.told(Start(at="earliest"), 3)
    assert (values(found), [one.offset for one in found]) == ([30, 10, 20], offsets)


async def test_followers_go_on_from_an_offset(log: Log) -> None:
    offsets = await log.put(*map(a_sample, (1, 2, 3))) + await log.put(a_sample(4))
    for place, offset in enumerate(offsets[:-1]):
        assert values(await log.told(Start(offset=offset), 3 - place)) == [1, 2, 3, 4][place + 1 :]
    assert values(await log.told(Start(offset=offsets[-1]), 1, then=a_sample(5))) == [5]


async def test_followers_begin_with_what_comes_next(log: Log) -> None:
    await log.put(a_sample(1))
    assert values(await log.told(Start(), 1, then=a_sample(2))) == [2]


async def test_followers_begin_with_what_arrived_since_a_time(log: Log) -> None:
    times = []
    for value in range(5):
        times.append(log.now)
        await log.put(a_sample(value), a_sample(value + 10))
        log.clock.advance(60)
    for place, time in enumerate(times):
        found = await log.told(Start(time=time - S), 2 * (5 - place))
        assert [one for one in values(found) if one < 10] == list(range(place, 5))
    assert values(await log.told(Start(time=log.now), 1, then=a_sample(7))) == [7]


async def test_an_offset_that_was_never_given_is_refused(log: Log) -> None:
    (offset,) = await log.put(a_sample(1))
    with pytest.raises(FeedCursorGone):
        await log.told(Start(offset=offset + (1 << 30)), 1)


async def test_followers_are_told_what_they_want(log: Log) -> None:
    await log.put(
        a_sample(1), a_sample(2, topic="other"), a_sample(3, source="dome"), a_sample(4, source="x")
    )
    wanted = Filter((("camera", "state"), ("dome", None)))
    assert values(await log.told(Start(at="earliest"), 2, wanted=wanted)) == [1, 3]


async def test_duplicates_are_not_told_again(log: Log) -> None:
    one = a_sample(1)
    await log.put(one)
    await log.bus.publish([one])
    await log.put(a_sample(2))
    assert values(await log.told(Start(at="earliest"), 2)) == [1, 2]


async def test_a_named_follower_goes_on_where_it_was(log: Log) -> None:
    named = Start(at="earliest", consumer="header-spec1")
    await log.put(a_sample(1))
    # It stopped before it asked for more, so it may not have done anything with that.
    assert values(await log.told(named, 1)) == [1]
    assert values(await log.told(named, 2, then=a_sample(2))) == [1, 2]


async def test_simultaneous_publishers_lose_nothing_and_repeat_nothing(log: Log) -> None:
    given = [[a_sample(100 * who + n, epoch=f"boot {who}") for n in range(40)] for who in range(4)]
    shared = [a_sample(1000 + n) for n in range(20)]

    async def send(own: list[Sample]) -> None:
        mixed = own + random.Random(own[0].epoch).sample(shared, len(shared))
        for at in range(0, len(mixed), 7):
            await log.bus.publish(mixed[at : at + 7])

    await asyncio.gather(*map(send, given))
    found = await log.told(Start(at="earliest"), 180)
    assert sorted(one.seq for one in found) == sorted(one.seq for some in [*given, shared] for one in some)
    offsets = [one.offset for one in found]
    assert offsets == sorted(set(offsets))


async def test_watermark_and_health(log: Log) -> None:
    assert await log.bus.watermark("camera", "state") is None
    assert (await log.bus.health()).newest_offset is None
    offsets = await log.put(a_sample(30), a_sample(10))
    assert await log.bus.watermark("camera", "state") == 30
    health = await log.bus.health()
    assert (health.newest_offset, health.newest_received) == (offsets[-1], log.now)


async def test_old_samples_are_forgotten_but_those_in_force(log: Log) -> None:
    began = log.now
    await log.put(
        *(a_sample(began + n, payload={"value": n}) for n in range(5)), a_sample(began, topic="slow")
    )
    log.clock.advance(7200)
    await log.put(a_sample(log.now, payload={"value": "new"}))
    assert await log.bus.retain(before=log.now - 3600 * S, portion=2) == 4
    assert values(await log.bus.range("camera", "state", 0, log.now)) == [4, "new"]
    assert await log.bus.asof("camera", "slow", log.now) is not None
    assert await log.bus.retain(before=log.now - 3600 * S) == 0


async def test_what_somebody_needs_is_kept(log: Log) -> None:
    began = log.now
    await log.put(*(a_sample(began + n, payload={"value": n}) for n in range(6)))
    log.clock.advance(7200)
    assert await log.bus.retain(before=log.now, needed=began + 3) == 3
    assert values(await log.bus.range("camera", "state", 0, log.now)) == [3, 4, 5]
    assert await log.bus.retain(before=log.now) == 2


async def test_samples_of_a_wrong_clock_are_forgotten_too(log: Log) -> None:
    await log.put(a_sample(log.now + 10**18))
    log.clock.advance(7200)
    assert await log.bus.retain(before=log.now) == 1


async def test_what_a_consumer_has_not_seen_is_kept(log: Log) -> None:
    start = Start(at="earliest", consumer="away")
    assert values(await log.told(start, 0)) == []
    await log.put(a_sample(log.now), a_sample(log.now + 1))
    log.clock.advance(7200)
    assert await log.bus.retain(before=log.now) == 0
    assert len(await log.told(start, 2)) == 2


async def test_followers_from_before_the_forgotten_are_told(log: Log) -> None:
    first, _ = await log.put(a_sample(log.now), a_sample(log.now + 1))
    log.catch_up()
    await log.put(a_sample(log.now))
    await log.bus.retain(before=log.now)
    with pytest.raises(FeedCursorGone):
        await log.told(Start(offset=first), 1)
    assert len(await log.told(Start(at="earliest"), 1)) == 1
