"""The same sieges for as long as one likes: ``python -m tests.crash.soak``, whose ``--help`` says how long."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from armillary.base.postgres.server import EmbeddedServer
from tests.crash import test_engine, test_intake, test_many_files
from tests.crash.header_judgement import besiege
from tests.crash.observing import EXPOSURES, nights_of
from tests.crash.outages import LAND_S, Outages
from tests.crash.siege import Siege
from tests.crash.tree import DEFAULTS
from tests.support.postgres import start_server

ROUND, OUTAGES, GAMES, MOVES, CROWD = 500, 25, 100, 60, 10_000


def main() -> int:
    """Besiege one archive after another, some kills or outages each; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=3000, help="processes, one by one and together")
    parser.add_argument(
        "--outages", type=int, default=100, help="ends of all processes, with default settings"
    )
    parser.add_argument(
        "--games", type=int, default=300, help="games of the engine of work against its model"
    )
    parser.add_argument(
        "--night-kills", type=int, default=1000, help="in a night of 1000 exposures of three instruments"
    )
    parser.add_argument(
        "--intakes", type=int, default=100, help="games of the intake of cubes against its model"
    )
    parser.add_argument("--files", type=int, default=10_000, help="small files, with a cube for every 25")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    options = parser.parse_args()
    seeds = itertools.count(options.seed)
    rounds = [_kills(number, next(seeds)) for number in _portions(options.kills, ROUND)]
    rounds += [_outages(number, next(seeds)) for number in _portions(options.outages, OUTAGES)]
    rounds += [_games(number) for number in _portions(options.games, GAMES)]
    rounds += [_intakes(number) for number in _portions(options.intakes, GAMES)]
    rounds += [_crowd(number, next(seeds)) for number in _portions(options.files, CROWD)]
    rounds += [_night(number, next(seeds)) for number in _portions(options.night_kills, ROUND)]
    return int(any(rounds))


def _portions(total: int, most: int) -> list[int]:
    return [min(most, total - begun) for begun in range(0, total, most)]


def _kills(number: int, seed: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="armillary-soak-") as directory:
        return _told(asyncio.run(Siege(Path(directory), number, seed).run()))


def _outages(number: int, seed: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="armillary-soak-") as directory:
        outages = Outages(number)
        siege = Siege(Path(directory), number, seed, settings=DEFAULTS)
        broken = asyncio.run(siege.run_with(outages))
    print("\n".join(outages.landings))
    late = [one for one in outages.beyond_s if one > LAND_S]
    slow = [f"the first edit landed {one:.1f} s later than an order after a clean start" for one in late]
    return _told(broken + outages.late + slow)


def _night(number: int, seed: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="armillary-soak-") as directory:
        nights = nights_of(EXPOSURES, seed)
        storm, broken = asyncio.run(besiege(Path(directory), nights, kills=number, seed=seed))
    print(f"seed {seed}; {storm.told()}")
    return _told(broken)


def _games(number: int) -> bool:
    return _served(
        lambda server, directory: test_engine.besiege(server, directory, examples=number, moves=MOVES)
    )


def _intakes(number: int) -> bool:
    return _served(
        lambda server, directory: test_intake.besiege(server, directory, examples=number, moves=MOVES)
    )


def _crowd(number: int, seed: int) -> bool:
    def besiege(server: EmbeddedServer, directory: Path) -> None:
        made = test_many_files.besiege(server, directory, files=number, number=number // 25, seed=seed)
        crowd, broken = asyncio.run(made)
        print(f"seed {seed}; {crowd.kills} kills, {crowd.looks} looks")
        if broken:
            raise AssertionError("\n".join(broken))

    return _served(besiege)


def _served(game: Callable[[EmbeddedServer, Path], None]) -> bool:
    with tempfile.TemporaryDirectory(prefix="armillary-soak-") as directory:
        server = asyncio.run(start_server(Path(directory, "postgres")))
        try:
            game(server, Path(directory))
        except AssertionError:
            return _told([traceback.format_exc()])
        finally:
            asyncio.run(server.release())
    return _told([])


def _told(broken: list[str]) -> bool:
    print("\n".join(broken) or "every promise kept", flush=True)
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
