"""Write the observing day: ``python -m armillary.demo.solar DIRECTORY``."""

from __future__ import annotations

import sys
from pathlib import Path

from armillary.demo.solar import write_day

top = Path(sys.argv[1] if len(sys.argv) > 1 else "day")
print(f"{len(write_day(top))} files below {top}")
