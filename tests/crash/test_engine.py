"""The engine of work against a plain model of what it promises, with workers killed between any two steps.

A machine of hypothesis submits orders of two unique keys, in the roles of worker and web, lets periods pass and
processes look for what is due, tells a real worker what to do with the order that it has, cancels, kills the
worker while it runs an order or just ends it, and starts another. After each move the rows of the database must be
what the model has.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from armillary.base.database import Database, Role
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.work import NewOrder, submit
from armillary.base.work.admin import cancel
from armillary.base.work.periods import submit_due
from tests.crash.engine_model import KEYS, PERIODIC, POLICY, Model, Run
from tests.support.games import play
from tests.support.patience import in_time
from tests.support.postgres import fresh_database
from tests.support.puppets import KIND, PATIENCE_S, PERIOD, Puppet, theatre
from tests.support.topics import somebody_waits

EXAMPLES, MOVES = 8, 40
ROWS = """
SELECT id, state, args, revision, attempts, error_code, step, steps, cancelled, held
FROM work_order WHERE unique_key = $1 ORDER BY id
"""
SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'worker' AND datname = current_database()"
)
wishes = st.fixed_dictionaries(
    {},
    optional={
        "force": st.booleans(),
        "owners": st.sampled_from([None, [], ["observer"]]),
        "path": st.sampled_from(["x", "y"]),
    },
)


@dataclass
class Stage:
    """What the machine plays on: one database, and what forks workers for it."""

    runner: asyncio.Runner
    worker: Database
    web: Database
    strings: str

    def rows(self, query: str, *values: object) -> list[Any]:
        """Return rows of the database."""

        async def fetch() -> list[Any]:
            async with self.worker.begin() as connection:
                return list((await connection.exec_driver_sql(query, values)).all())

        return self.runner.run(fetch())

    def submit(self, order: NewOrder, *, by_web: bool) -> int:
        """Submit an order; return its id."""

        async def send() -> int:
            async with (self.web if by_web else self.worker).begin() as connection:
                return (await submit(connection, [order], keyed_fifo=False))[0]

        return self.runner.run(send())

    def look(self, meanwhile: Callable[[], None]) -> list[int]:
        """Submit what is due, as a worker does; do something while that waits for another one that looks."""

        async def send() -> list[int]:
            async with self.worker.begin() as connection:
                return await submit_due(connection, [PERIOD])

        async def both() -> list[int]:
            sent = asyncio.create_task(send())
            await somebody_waits(self.web)
            meanwhile()
            return await sent

        return self.runner.run(both())

    def cancel(self, number: int) -> str | None:
        """Cancel an order."""

        async def send() -> str | None:
            async with self.worker.begin() as connection:
                return await cancel(connection, number, "Cancelled.", keep_s=3600.0)

        return self.runner.run(send())


class Engine(RuleBasedStateMachine):
    """Moves of submitters, operators, a worker, and death."""

    stage: Stage
    examples = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.model, self.puppet = Model(), None
        self.running: tuple[str, Run] | None = None
        self.orphan: tuple[str, Run] | None = None
        # Every example has keys of its own.
        self.prefix = f"{KIND}:{next(self.examples)}"

    puppet: Puppet | None

    def teardown(self) -> None:
        """Kill the worker, and withdraw what is left."""
        if self.puppet:
            self._kill()
        for key in KEYS:
            self.stage.rows("DELETE FROM work_order WHERE unique_key = $1 RETURNING id", self._unique(key))
        self.stage.rows("DELETE FROM work_period RETURNING kind")

    def _unique(self, key: str) -> str:
        # Periodic orders bear the name of their kind.
        return KIND if key == PERIODIC else f"{self.prefix}:{key}"

    @rule(key=st.sampled_from(KEYS[:-1]), args=wishes, by_web=st.booleans())
    def submits(self, key: str, args: dict[str, Any], by_web: bool) -> None:
        """Submit an order; a worker without work takes it at once."""
        order = NewOrder(kind=KIND, args=args, unique_key=self._unique(key), merging=POLICY)
        self.model.submit(key, dict(args), self.stage.submit(order, by_web=by_web))
        self._see()

    @rule(passed=st.booleans(), death=st.sampled_from([None, "before", "during"]))
    def looks(self, passed: bool, death: str | None) -> None:
        """Let two processes look for what is due, and kill the first before or during its commit, or not."""
        if passed:
            # Several periods that nobody looked in are one.
            self.stage.rows("UPDATE work_period SET due = now() - interval '3 hours' RETURNING kind")
            self.model.period_is_over = True
        first = Puppet(self.stage.strings, "looker")
        found = first.hear()["submitted"]
        told: list[Any] = []

        def end() -> None:
            if death != "before":
                first.tell(end="commit")
            if death is None:
                told.append(first.hear())
            first.kill()

        later = self.stage.look(end)
        assert len(found) == self.model.period_is_over
        assert told == ([{"committed": found}] if death is None else [])
        if self.model.period_is_over:
            # Whose commit is in doubt has made it or not, and exactly one of the two has submitted the order.
            assert len(later) == (death == "before") or death == "during"
            self.model.period_is_over = False
            self.model.submit(PERIODIC, {}, (later or found)[0])
        else:
            assert later == []
        self._see()

    @precondition(lambda self: self.puppet is None)
    @rule()
    def starts(self) -> None:
        """Start a worker, which takes over what the last one left."""
        self.puppet = Puppet(self.stage.strings)
        if self.orphan:
            self.model.take_over(self.orphan[1])
            self.orphan = None
        self._see()

    @precondition(lambda self: self.running is not None)
    @rule(name=st.sampled_from(["read", "header"]))
    def steps(self, name: str) -> None:
        """Let the worker make a step, or learn that it should not."""
        assert self.puppet
        assert self.running
        _, run = self.running
        self.puppet.tell(step=name)
        said = self.puppet.hear()
        if run.cancelled:
            assert said == {"cancelled": run.id}
            self.model.fail(run, "order_cancelled")
            self.running = None
        else:
            assert said == {"stepped": name}
            run.step, run.steps = name, [*(run.steps or []), (name, "done")]
        self._see()

    @precondition(lambda self: self.running is not None)
    @rule(
        how=st.sampled_from(["complete", "transact", "refuse", "fail", "wait", "postpone"]),
        deadly=st.booleans(),
    )
    def ends(self, how: str, deadly: bool) -> None:
        """Let the worker end its run; kill it at that moment, or let it live."""
        assert self.puppet
        assert self.running
        _, run = self.running
        self.puppet.tell(end=how)
        if deadly:
            self._kill()
            state, fence = self.stage.rows("SELECT state, fence FROM work_order WHERE id = $1", run.id)[0]
            if state == "Started" and fence == run.claims:
                # It died before the end was written: that never happened.
                return
        self.model.end(run, how)
        self.running = None
        if deadly:
            self.orphan = self._begun()
        self._see()

    def _begun(self) -> tuple[str, Run] | None:
        """Return what a worker has begun between the end of a run and its own."""
        for key, runs in self.model.runs.items():
            for run in runs:
                state = self.stage.rows("SELECT state FROM work_order WHERE id = $1", run.id)[0][0]
                if state == "Started":
                    self.model.claim(key, run)
                    return key, run
        return None

    @precondition(lambda self: self.puppet is not None)
    @rule()
    def is_killed(self) -> None:
        """Kill the worker, whatever it does."""
        self._kill()
        self._see()

    @rule(key=st.sampled_from(KEYS))
    def is_cancelled(self, key: str) -> None:
        """Cancel the oldest order of a key: at once if it waits, before its next step if it makes steps."""
        run = next((one for one in self.model.runs[key] if one.state in ("Queued", "Started")), None)
        if run is None:
            return
        state = self.stage.cancel(run.id)
        if run.state == "Started":
            assert state == ("Started" if run.steps is not None else None)
            run.cancelled = run.cancelled or run.steps is not None
        elif state is None:
            raise AssertionError("it waits and is not in doubt")
        else:
            self.model.fail(run, "order_cancelled")
        self._see()

    def _kill(self) -> None:
        assert self.puppet
        self.puppet.kill()
        end = time.monotonic() + PATIENCE_S
        # Its session ends a moment later; whoever comes before has to wait until somebody looks again.
        while self.stage.rows(SESSIONS)[0][0]:
            in_time(end)
        self.puppet, self.orphan, self.running = None, self.running, None

    def _see(self) -> None:
        """Let a worker that is free begin what is next, and compare everything."""
        if self.puppet and self.running is None and (due := self.model.due()):
            said = self.puppet.hear()
            assert said, "the worker has ended"
            found = [
                (key, run) for key, runs in self.model.runs.items() for run in runs if run.id == said["began"]
            ]
            assert [run.id for _, run in found if run in due] == [said["began"]]
            self.running = found[0]
            self.model.claim(*self.running)
            assert (said["args"], said["attempts"]) == (self.running[1].args, self.running[1].attempts)
        self._compare()

    def _compare(self) -> None:
        for key, runs in self.model.runs.items():
            end = time.monotonic() + PATIENCE_S
            # The end of a run is written a moment after it, and all of it at once.
            found = self._rows(key)
            while [row[1] for row in found] != [run.state for run in runs]:
                in_time(end, {"found": found, "expected": runs})
                time.sleep(0.005)
                found = self._rows(key)
            assert found == [run.row() for run in runs]

    def _rows(self, key: str) -> list[tuple[Any, ...]]:
        return [
            (
                *(row.id, row.state, row.args, row.revision, row.attempts, row.error_code, row.step),
                row.steps and [(one["name"], one["outcome"]) for one in row.steps],
                row.cancelled is not None,
                row.held is not None,
            )
            for row in self.stage.rows(ROWS, self._unique(key))
        ]


@contextlib.contextmanager
def staged(server: EmbeddedServer, directory: Path) -> Iterator[type[Engine]]:
    """Give the machine with a database, and with what forks workers for it."""
    with asyncio.Runner() as runner:
        holder = fresh_database(server)
        name = runner.run(holder.__aenter__())
        opened = [
            runner.run(Database.connect(server, role, name=name, application="machine", pool_size=1))
            for role in (Role.WORKER, Role.WEB)
        ]
        try:
            with theatre(server, name, directory) as strings:
                yield type("Played", (Engine,), {"stage": Stage(runner, opened[0], opened[1], strings)})
        finally:
            for database in opened:
                runner.run(database.close())
            runner.run(holder.__aexit__(None, None, None))


def besiege(server: EmbeddedServer, directory: Path, *, examples: int, moves: int) -> None:
    """Play so many games of so many moves; raise AssertionError for a promise that was broken."""
    with staged(server, directory) as played:
        play(played, examples=examples, moves=moves)


def test_the_engine_does_what_its_model_does_whoever_is_killed(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    besiege(postgres, tmp_path, examples=EXAMPLES, moves=MOVES)


def test_a_game_in_which_every_move_matters(postgres: EmbeddedServer, tmp_path: Path) -> None:
    with staged(postgres, tmp_path) as played:
        game = played()
        try:
            game.submits("a", {"force": True, "owners": ["observer"]}, False)
            game.submits("a", {"force": False, "owners": None}, True)
            game.starts()
            game.submits("a", {"path": "x"}, True)
            game.submits("b", {}, False)
            game.submits("a", {"owners": []}, False)
            game.steps("read")
            game.ends("refuse", False)  # what waits takes over what it left
            for how in ("postpone", "fail", "wait", "complete"):
                game.ends(how, False)
            while game.running:
                game.ends("complete", False)
            game.submits("a", {"path": "y"}, True)  # of what completed nothing is left
            game.steps("read")
            game.is_cancelled("a")
            game.submits("a", {"force": True}, False)
            game.is_killed()
            game.starts()  # what was cancelled is not tried again
            game.steps("header")
            game.is_killed()
            game.submits("a", {"owners": []}, True)
            game.starts()
            game.ends("complete", True)
            game.starts()
            while game.running:
                game.ends("transact", False)
            game.looks(True, "before")  # due from the first look on; it runs at once
            game.looks(False, None)  # not due
            for death in (None, "during", "before"):
                game.looks(
                    True, death
                )  # the first waits for the end of what runs, and later ones are that one
            game.is_killed()
            game.looks(True, "during")
            game.starts()
            while game.running:
                game.ends("complete", False)
            assert [run.state for run in game.model.runs[PERIODIC]] == ["Completed"] * 2
            assert {run.state for runs in game.model.runs.values() for run in runs} == {"Completed", "Failed"}
        finally:
            game.teardown()
