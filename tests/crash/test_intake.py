"""The intake of cubes against a plain model of what it promises, with workers killed at every step.

A machine of hypothesis writes files into an ingestion root, orders them, cancels and retires, lets leases expire,
and has a real worker run one order, which is killed when it begins a chosen step or just after its commit. After
each move the database must have what the model has: no half cube, each file one cube, observations that begin and
end with their cubes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from armillary.archive.cubes import service as cubes
from armillary.archive.cubes.models import STEPS, Options
from armillary.base.database import Database, Role
from armillary.base.identity import settle_in
from armillary.base.postgres.server import EmbeddedServer
from armillary.base.work.admin import cancel, expire_leases
from armillary.base.work.ledger import Ledger
from armillary.context import Context
from armillary.demo.solar import SolarCube, write_cube
from tests.crash.intake_model import Content, Model, Run
from tests.support.archive import OLD_NS
from tests.support.cube_puppets import APPLICATION, END, context_of, root_of
from tests.support.games import play
from tests.support.ingestion import TINY
from tests.support.patience import in_time
from tests.support.postgres import fresh_database
from tests.support.puppets import PATIENCE_S, Puppet, theatre

EXAMPLES, MOVES = 4, 40
MOVES_BY_WEIGHT = {"work": 12, "write": 6, "order": 3, "expire": 4, "cancel": 1, "delete": 1, "retire": 1}
WEIGHED = [move for move, weight in MOVES_BY_WEIGHT.items() for _ in range(weight)]
T = TypeVar("T")
PATHS = ("a.fits", "b.fits")
CUBE = SolarCube(features=None, **TINY)
BEGINS = {"x": CUBE.begin, "y": CUBE.begin + timedelta(minutes=1)}
"""When cubes begin, by which their oids differ."""
KINDS = ["r0", "spectral_line", "spectral_line_svg", "wcs"]
SESSIONS = (
    f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{APPLICATION}'"
    " AND datname = current_database()"
)
ORDERS = """
SELECT id, state, args, attempts, error_code, response->'value'->>'outcome' FROM work_order
WHERE kind = 'ingest_cube' ORDER BY id
"""
WHOLE = """
SELECT c.oid, c.path, v.present, f.keywords->>'OBJECT', o.key, c.oid_given,
    array(SELECT d.kind FROM cube_derived AS d WHERE d.cube_id = c.id ORDER BY d.kind)
FROM cube AS c JOIN observation AS o ON o.id = c.observation_id
LEFT JOIN frame AS f ON f.file_id = c.file_id
LEFT JOIN LATERAL (
    SELECT w.present FROM version AS w WHERE w.file_id = c.file_id ORDER BY w.id DESC LIMIT 1) AS v ON true
ORDER BY c.oid
"""
SPANS = """
SELECT o.key FROM observation AS o LEFT JOIN cube AS c ON c.observation_id = o.id GROUP BY o.id
HAVING count(c.id) = 0 OR o.date_beg <> min(c.date_beg) OR o.date_end <> max(c.date_end)
"""
STRAY = "SELECT file_id FROM frame WHERE file_id NOT IN (SELECT file_id FROM cube)"
CLEAR = "TRUNCATE cube, observation, frame, version, file, work_order, ingestion, retirement CASCADE"
WISHES: list[dict[str, Any]] = [
    {},
    {},
    {},
    {},
    {"force": True},
    {"oid": "x"},
    {"oid": "mine"},
    {"oid": "mine", "additional": True},
    {"oid": "mine", "force": True},
]


def oid_of(name: str) -> str:
    """Return the oid that a wish or the headers of a file name."""
    return SolarCube(begin=BEGINS[name], **TINY).oid if name in BEGINS else name


@dataclass
class Stage:
    """What the machine plays on: one database and one directory, and what forks workers for them."""

    runner: asyncio.Runner
    context: Context
    owner: Database
    strings: str

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something."""
        return self.runner.run(work)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return rows of the database."""

        async def fetch() -> list[tuple[Any, ...]]:
            async with self.context.database.begin() as connection:
                return [tuple(row) for row in await connection.exec_driver_sql(query, values)]

        return self.do(fetch())

    def end_of(self, doomed: str | None) -> str:
        """Have a worker run what is due next; return whether it `ran` it, was `idle`, or was `killed`."""
        puppet = Puppet(self.strings, doomed)
        said = puppet.hear()
        puppet.leave()
        end = time.monotonic() + PATIENCE_S
        # Its sessions end a moment later, and with them what they hold.
        while self.rows(SESSIONS)[0][0]:
            in_time(end)
            time.sleep(0.005)
        return "killed" if said is None else "ran" if said["ran"] else "idle"


class Intake(RuleBasedStateMachine):
    """Moves of writers, submitters and operators, a worker, and death."""

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()

        self.numbers = itertools.count(1)
        self.root = root_of(self.stage.context.settings.data)

    def teardown(self) -> None:
        """Clear everything away for the next example."""
        for path in PATHS:
            (self.root / path).unlink(missing_ok=True)
        self.stage.do(self._cleared())

    async def _cleared(self) -> None:
        async with self.stage.owner.begin() as connection:
            await connection.exec_driver_sql(CLEAR)

    @rule(data=st.data(), move=st.sampled_from(WEIGHED))
    def moves(self, data: st.DataObject, move: str) -> None:
        """Make one of the moves: rules of their own would be left out of whole games."""
        files, wanted = sorted(self.model.files), sorted(self.model.cubes)
        unfinished = [run for run in self.model.runs if run.state in ("Queued", "Started")]
        match move:
            case "work":
                self.works(data.draw(st.sampled_from([None, None, None, *STEPS, END])))
            case "write":
                path, oid = (
                    data.draw(st.sampled_from(PATHS)),
                    data.draw(st.sampled_from(["x", "y", "x", "y", "x", None])),
                )
                self.writes(path, oid, data.draw(st.sampled_from("pq")), newer=data.draw(st.booleans()))
                self.orders(path, data.draw(st.sampled_from(WISHES)))
            case "order" if files:
                self.orders(data.draw(st.sampled_from(files)), data.draw(st.sampled_from(WISHES)))
            case "expire":
                self.expires()
            case "cancel" if unfinished:
                self.cancels(data.draw(st.sampled_from(unfinished)))
            case "delete" if files:
                self.deletes(data.draw(st.sampled_from(files)))
            case "retire" if wanted:
                self.retires(data.draw(st.sampled_from(wanted)))

    def writes(self, path: str, oid: str | None, point: str, *, newer: bool) -> None:
        """Put another file in a place: of some oid, or no cube at all; made later than all others, or long ago."""
        number = next(self.numbers)
        content = Content(number, oid and oid_of(oid), point, number if newer else 0)
        cube = SolarCube(
            begin=BEGINS[oid or "x"],
            point_id=point,
            target=str(number),
            features=None,
            made=f"2026-07-01T{content.made // 60:02}:{content.made % 60:02}:00",
            without=frozenset() if oid else frozenset({"FILTER1"}),
            **TINY,
        )
        written = write_cube(self.root, cube, name=path)
        os.utime(written, ns=(0, OLD_NS + number * 10**9))
        self.model.files[path] = content

    def deletes(self, path: str) -> None:
        """Delete a file."""
        (self.root / path).unlink()
        del self.model.files[path]

    def orders(self, path: str, wish: dict[str, Any]) -> None:
        """Order a file that is there."""
        said = wish | ({"oid": oid_of(wish["oid"])} if "oid" in wish else {})
        options = Options.of_args(said)
        made = self.stage.do(cubes.submit(self.stage.context, path, options, root=None, actor="somebody"))
        self.model.submit(path, options.to_args(), made.order)
        self._compare()

    def works(self, doomed: str | None) -> None:
        """Have a worker run what is due next, and be killed when it comes to a step."""
        ended = self.stage.end_of(doomed)
        run = self.model.next()
        if run is None:
            assert ended == "idle"
            return
        self.model.claim(run)
        course = self.model.course(run)
        assert ended == ("killed" if self.model.dies(course, doomed) else "ran")
        if ended == "ran" or doomed == END:
            self.model.end(run, course)
        self._compare()

    def expires(self) -> None:
        """Let the leases of the dead end, and somebody take their orders over."""
        self.stage.do(self._expired())
        self.model.expire()
        self._compare()

    async def _expired(self) -> None:
        context = self.stage.context
        async with context.database.begin() as connection:
            await expire_leases(connection)
        ledger = Ledger(context.database, context.settings.work, "sweeper")
        await ledger.sweep()
        await ledger.close()

    def cancels(self, run: Run) -> None:
        """Cancel an order that has not ended."""
        self.stage.do(self._cancelled(run.id))
        self.model.cancel(run)
        self._compare()

    async def _cancelled(self, number: int) -> None:
        async with self.stage.context.database.begin() as connection:
            assert await cancel(connection, number, "Cancelled.", keep_s=3600.0)

    def retires(self, oid: str) -> None:
        """Take a file out with all its cubes."""
        path = self.model.cubes[oid].path
        self.stage.do(self._retired(oid))
        self.model.cubes = {name: one for name, one in self.model.cubes.items() if one.path != path}
        self._compare()

    async def _retired(self, oid: str) -> None:
        async with self.stage.context.database.begin() as connection:
            place = await cubes.place_of_oid(connection, oid)
            assert place is not None
            now = self.stage.context.clock.now()
            await cubes.retire(connection, place, now=now, actor="somebody")

    def _compare(self) -> None:
        assert self._orders() == [run.row() for run in self.model.runs]
        found = self.stage.rows(WHOLE)
        assert [(oid, path, target, point, given) for oid, path, _, target, point, given, _ in found] == [
            (oid, one.path, str(one.content.number), one.content.point, one.given)
            for oid, one in sorted(self.model.cubes.items())
        ]
        assert [kinds for *_, kinds in found if kinds != KINDS] == []
        # A file is gone from the catalog only after it was looked for.
        assert [path for _, path, present, *_ in found if not present and path in self._untouched()] == []
        assert self.stage.rows(SPANS) == []
        assert self.stage.rows(STRAY) == []

    def _untouched(self) -> set[str]:
        """Return the paths of which the file is what its cubes say."""
        return {
            one.path for one in self.model.cubes.values() if self.model.files.get(one.path) == one.content
        }

    def _orders(self) -> list[tuple[Any, ...]]:
        return [
            (number, state, Options.of_args(args).to_args(), *rest)
            for number, state, args, *rest in self.stage.rows(ORDERS)
        ]


@contextlib.contextmanager
def staged(server: EmbeddedServer, directory: Path) -> Iterator[type[Intake]]:
    """Give the machine with a database and a directory, and with what forks workers for them."""
    root_of(directory).mkdir()
    # One that is empty would seem to be away.
    (root_of(directory) / "notes.txt").touch()
    with asyncio.Runner() as runner:
        holder = fresh_database(server)
        name = runner.run(holder.__aenter__())
        database, owner = (
            runner.run(
                Database.connect(server, role, name=name, application="machine", home=directory, pool_size=2)
            )
            for role in (Role.WORKER, Role.OWNER)
        )
        runner.run(settle_in(database, directory, own_database=False, may_write=True))
        context = context_of(database, directory)
        try:
            runner.run(cubes.register(context))
            with theatre(server, name, directory, module="tests.support.cube_puppets") as strings:
                yield type("Played", (Intake,), {"stage": Stage(runner, context, owner, strings)})
        finally:
            context.stores.close()
            runner.run(context.signals.close())
            for one in (database, owner):
                runner.run(one.close())
            runner.run(holder.__aexit__(None, None, None))


def besiege(server: EmbeddedServer, directory: Path, *, examples: int, moves: int) -> None:
    """Play so many games of so many moves; raise AssertionError for a promise that was broken."""
    with staged(server, directory) as played:
        play(played, examples=examples, moves=moves)


def test_cubes_are_taken_in_as_the_model_does_whoever_is_killed(
    postgres: EmbeddedServer, tmp_path: Path
) -> None:
    besiege(postgres, tmp_path, examples=EXAMPLES, moves=MOVES)


def test_a_worker_is_killed_at_every_step_of_one_file(postgres: EmbeddedServer, tmp_path: Path) -> None:
    with staged(postgres, tmp_path) as played:
        game = played()
        try:
            for doomed in (*STEPS, END):
                game.writes("a.fits", "x", "p", newer=True)
                game.orders("a.fits", {})
                game.works(doomed)
                if doomed != END:
                    assert game.model.runs[-1].state == "Started"
                game.expires()
                game.works(None)
                assert game.model.runs[-1].outcome == "ingested"
            game.orders("a.fits", {})
            game.works(None)
            assert game.model.runs[-1].outcome == "skipped"
        finally:
            game.teardown()


def test_a_game_in_which_every_move_matters(postgres: EmbeddedServer, tmp_path: Path) -> None:
    with staged(postgres, tmp_path) as played:
        game = played()
        last = game.model.runs
        try:
            game.writes("a.fits", "x", "p", newer=True)
            game.orders("a.fits", {})
            game.works("derived")
            game.orders("a.fits", {"force": True})  # one more run, after that which died
            game.expires()
            game.works(None)
            game.works(END)
            assert [run.outcome for run in last] == ["ingested", "ingested"]
            game.writes("b.fits", "x", "q", newer=False)
            game.orders("b.fits", {})
            game.works("product")
            game.expires()
            game.works("derived")  # it does not come to that
            assert last[-1].outcome == "superseded"
            game.orders("b.fits", {"force": True})
            game.works("snapshot")
            game.expires()
            game.works(None)  # the cube goes over to the older file, and leaves the first observation
            game.writes("a.fits", "y", "q", newer=True)
            game.orders("a.fits", {})
            game.works("svo")
            game.retires(oid_of("x"))
            game.expires()
            game.works(None)
            game.writes("a.fits", "x", "p", newer=True)
            game.orders("a.fits", {})
            game.works(None)  # another oid in the same place
            game.orders("a.fits", {"oid": "mine"})
            game.works(None)
            assert last[-1].code == "second_oid"
            game.orders("a.fits", {"additional": True})  # with the oid that is left
            game.works("tags")
            game.cancels(last[-1])
            game.expires()
            assert last[-1].code == "order_cancelled"
            game.orders("a.fits", {})
            game.works(None)
            assert set(game.model.cubes) == {oid_of("x"), "mine"}
            game.writes("a.fits", "y", "p", newer=True)
            game.orders("a.fits", {})
            game.works(None)
            assert set(game.model.cubes) == {oid_of("y"), "mine"}
            game.writes("b.fits", "y", "q", newer=True)
            game.orders("b.fits", {})
            for doomed in ("metadata", "access", "previews"):
                game.works(doomed)
                game.expires()
            assert last[-1].code == "worker_lost"
            game.orders("b.fits", {})
            game.works(None)
            assert {oid: one.path for oid, one in game.model.cubes.items()} == {
                oid_of("y"): "b.fits",
                "mine": "a.fits",
            }
            game.deletes("a.fits")
            game.orders("b.fits", {})
            game.works(None)
            assert last[-1].outcome == "skipped"
        finally:
            game.teardown()
