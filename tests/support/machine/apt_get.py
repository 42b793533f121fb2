"""``apt-get`` without a network: sees that packages exist, and starts the server that one of them brings."""

from __future__ import annotations

import subprocess
import sys


def main(words: list[str]) -> int:
    """Accept ``update``, and ``install`` of packages that Debian has."""
    if words[0] == "update":
        return 0
    assert words[0] == "install"
    for name in [word for word in words[1:] if not word.startswith("-")]:
        known = [
            subprocess.run(command, capture_output=True, text=True, check=False)
            for command in (["dpkg", "--status", name], ["apt-cache", "show", name])
        ]
        if not any(f"Package: {name}\n" in done.stdout for done in known):
            print(f"E: Unable to locate package {name}", file=sys.stderr)
            return 100
        if name.startswith("postgresql-"):
            subprocess.run(["pg_createcluster", name.rpartition("-")[2], "main", "--start"], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
