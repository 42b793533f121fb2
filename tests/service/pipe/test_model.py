"""Anything that clients do with a queue, in any order, is what a model of a few lines says."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from armillary.base.postgres.server import EmbeddedServer
from armillary.pipe.errors import ClaimLost
from armillary.pipe.models import Claim
from armillary.pipe.service import claims, opened, queues
from tests.support.archive import an_archive
from tests.support.pipe import QUEUE, a_new, claimed, make, value_of, wanted

T = TypeVar("T")
MOST_ATTEMPTS = 2
PRIORITIES = {"low": -1, "usual": 0, "high": 1}


@dataclass
class Known:
    """What the model knows of an item."""

    number: int
    priority: int
    attempt: int = 0
    state: str = "waiting"
    claim: Claim | None = None

    @property
    def turn(self) -> tuple[int, int]:
        """Where it stands."""
        return (-self.priority, self.number)


@dataclass
class Model:
    """The items of a queue, and the claims that were lost."""

    items: list[Known] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    done: list[Claim] = field(default_factory=list)
    lost: list[Claim] = field(default_factory=list)
    sent: int = 0

    def of(self, state: str) -> list[Known]:
        """Return the items of a state, in their order."""
        return sorted((one for one in self.items if one.state == state), key=lambda one: one.turn)


def machine(postgres: EmbeddedServer, runner: asyncio.Runner) -> type[RuleBasedStateMachine]:
    class Queue(RuleBasedStateMachine):
        """A queue beside its model."""

        def __init__(self) -> None:
            super().__init__()
            self.model, self.stack = Model(), AsyncExitStack()
            self.folder = tempfile.TemporaryDirectory()
            self.run(self._open)

        def run(self, act: Callable[[], Awaitable[T]]) -> T:
            async def body() -> T:
                return await act()

            return runner.run(body())

        async def _open(self) -> None:
            archive = await self.stack.enter_async_context(an_archive(postgres, Path(self.folder.name)))
            self.context = archive.context
            self.exchange = await self.stack.enter_async_context(opened(self.context))
            rules = [{"sender": sender, "priority": value} for sender, value in PRIORITIES.items() if value]
            await make(self.context, max_attempts=MOST_ATTEMPTS, priorities=rules)

        def teardown(self) -> None:
            self.run(self.stack.aclose)
            self.folder.cleanup()

        def connected(self, act: Callable[[Any], Awaitable[T]]) -> T:
            async def body() -> T:
                async with self.context.database.begin() as connection:
                    return await act(connection)

            return self.run(body)

        @rule(sender=st.sampled_from(sorted(PRIORITIES)), key=st.sampled_from([None, None, "a", "b"]))
        def enqueue(self, sender: str, key: str | None) -> None:
            model = self.model
            item = self.run(lambda: self.exchange.enqueue(a_new(model.sent, sender=sender, key=key)))
            if key in model.keys:
                assert value_of(item) == model.keys[key]
                return
            assert value_of(item) == model.sent
            model.items.append(Known(model.sent, PRIORITIES[sender]))
            if key is not None:
                model.keys[key] = model.sent
            model.sent += 1

        @rule()
        def dequeue(self) -> None:
            expected = self.model.of("waiting")[:1]
            item = self.run(lambda: self.exchange.dequeue(wanted()))
            assert value_of(item) == (expected[0].number if expected else None)
            for one in expected:
                self.model.items.remove(one)

        @rule(count=st.integers(1, 3))
        def claim(self, count: int) -> None:
            expected = self.model.of("waiting")[:count]
            found = self.run(lambda: claimed(self.context, count=count))
            for known, one in zip(expected, found, strict=True):
                known.state, known.attempt, known.claim = "leased", known.attempt + 1, one
                assert (value_of(one.item), one.attempt) == (known.number, known.attempt)

        def _held(self, data: st.DataObject) -> Known:
            return data.draw(st.sampled_from(self.model.of("leased")))

        @precondition(lambda self: self.model.of("leased"))
        @rule(data=st.data())
        def acknowledge(self, data: st.DataObject) -> None:
            known = self._held(data)
            claim = known.claim
            assert claim is not None
            self.connected(lambda c: claims.acknowledge(c, claim.claim_id))
            self.model.items.remove(known)
            self.model.done.append(claim)

        @precondition(lambda self: self.model.of("leased"))
        @rule(data=st.data(), delayed=st.booleans(), dead=st.booleans())
        def give_back(self, data: st.DataObject, delayed: bool, dead: bool) -> None:
            known = self._held(data)
            claim = known.claim
            assert claim is not None
            died = self.connected(
                lambda c: claims.give_back(
                    c, claim.claim_id, delay_s=3600.0 * delayed, reason=None, dead=dead
                )
            )
            assert died == (dead or known.attempt >= MOST_ATTEMPTS)
            known.state = "dead" if died else "delayed" if delayed else "waiting"
            self.model.lost.append(claim)

        @rule()
        def time_passes(self) -> None:
            self.connected(
                lambda c: c.exec_driver_sql(
                    "UPDATE pipe_item SET free_at = now() - interval '1 ms' WHERE free_at > now()"
                )
            )
            for one in (*self.model.of("leased"), *self.model.of("delayed")):
                spent = one.state == "leased" and one.attempt >= MOST_ATTEMPTS
                if one.state == "leased" and one.claim is not None:
                    self.model.lost.append(one.claim)
                one.state = "dead" if spent else "waiting"

        @precondition(lambda self: self.model.of("dead"))
        @rule()
        def requeue(self) -> None:
            dead = self.model.of("dead")
            assert self.connected(lambda c: queues.requeue(c, QUEUE, None)) == len(dead)
            for one in dead:
                one.state, one.attempt = "waiting", 0

        @precondition(lambda self: self.model.lost)
        @rule(data=st.data())
        def a_lost_claim_does_nothing(self, data: st.DataObject) -> None:
            lost = data.draw(st.sampled_from(self.model.lost))
            with pytest.raises(ClaimLost):
                self.connected(lambda c: claims.acknowledge(c, lost.claim_id))

        @precondition(lambda self: self.model.done)
        @rule(data=st.data())
        def what_is_done_may_be_said_again(self, data: st.DataObject) -> None:
            done = data.draw(st.sampled_from(self.model.done))
            self.connected(lambda c: claims.acknowledge(c, done.claim_id))

        @invariant()
        def figures_are_true(self) -> None:
            found = self.connected(lambda c: queues.state(c, QUEUE))
            model = self.model
            assert {state: getattr(found, state) for state in ("waiting", "leased", "dead", "delayed")} == {
                state: len(model.of(state)) for state in ("waiting", "leased", "dead", "delayed")
            }
            assert (found.oldest_age_s is None) == (not model.of("waiting"))
            seen = self.connected(lambda c: queues.peek(c, QUEUE, 100))
            assert [value_of(one) for one in seen] == [one.number for one in model.of("waiting")]

    return Queue


def test_a_queue_is_what_its_model_says(postgres: EmbeddedServer) -> None:
    with asyncio.Runner() as runner:
        run_state_machine_as_test(
            lambda: machine(postgres, runner)(), settings=settings(max_examples=12, stateful_step_count=40)
        )
