"""The same siege for as long as one likes: ``python -m tests.crash.soak [--kills 3000] [--seed N]``."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.crash.siege import Siege

ROUND = 500


def main() -> int:
    """Besiege one archive after another, ``ROUND`` kills each; return how many rounds broke a promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    options = parser.parse_args()
    bad = 0
    for number, begun in enumerate(range(0, options.kills, ROUND)):
        with tempfile.TemporaryDirectory(prefix="armillary-soak-") as directory:
            siege = Siege(Path(directory), min(ROUND, options.kills - begun), options.seed + number)
            broken = asyncio.run(siege.run())
        print("\n".join(broken) or "every promise kept", flush=True)
        bad += bool(broken)
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
