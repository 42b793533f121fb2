"""A process that has worked on much is not larger for ever."""

from __future__ import annotations

import subprocess
import sys

HOLES = """
from pathlib import Path
from armillary.base.memory import give_back

def resident_mb():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) >> 10

headers, lasting = [], []
for number in range(4000):
    headers.append(bytes(20_000))
    lasting.append(bytes(600))  # too large for the small objects of the language
before = resident_mb()
del headers
full = resident_mb()
assert give_back() is True
print(before, full, resident_mb())
"""


def test_the_holes_between_what_stays_go_back_to_the_system() -> None:
    told = subprocess.run([sys.executable, "-c", HOLES], check=True, capture_output=True, text=True).stdout
    before, full, after = map(int, told.split())
    assert full > before - 20, "without a word nothing goes back"
    assert after < before - 50
