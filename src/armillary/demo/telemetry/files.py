"""A night on disk: samples as lines that `POST /v1/samples` takes, and the truth about its headers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from armillary.base.bus.models import Sample
from armillary.demo.telemetry.channels import Timed
from armillary.demo.telemetry.night import Night
from armillary.demo.telemetry.truth import Expected

SAMPLES, TRUTH = "samples.ndjson", "truth.json"
TOLERANCE = 1e-9
"""Relative, for floats of the truth."""


def line_of(sample: Sample) -> bytes:
    """Return a sample as a line of JSON; numbers that are not finite are literals such as NaN."""
    found = msgspec.json.encode(sample)
    if b"null" in found and _is_odd(sample.payload):
        found = json.dumps(msgspec.to_builtins(sample), separators=(",", ":")).encode()
    return found + b"\n"


def _is_odd(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_odd, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_is_odd, value))
    return isinstance(value, float) and not math.isfinite(value)


def write_night(
    night: Night, directory: Path, *, said: Iterable[Timed] | None = None
) -> tuple[Path, Path, int]:
    """Write samples and truth of a night; return the two files and how many samples there are.

    ``said`` is what arrives instead of what was said, if something spoils it; the truth stays.
    """
    directory.mkdir(parents=True, exist_ok=True)
    name = night.plan.instrument.name
    samples, truth = directory / f"{name}-{SAMPLES}", directory / f"{name}-{TRUTH}"
    count = 0
    with samples.open("wb") as file:
        for one in night.samples() if said is None else said:
            file.write(line_of(one.sample))
            count += 1
    truth.write_bytes(truth_document(night))
    return samples, truth, count


def truth_document(night: Night) -> bytes:
    """Return the truth of a night as JSON."""
    plan = night.plan
    known = {"instrument": plan.instrument.name, "seed": plan.seed, "relative_tolerance": TOLERANCE}
    document = known | {"headers": night.truth()}
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def read_truth(path: Path) -> list[Expected]:
    """Read the truth that `write_night` wrote."""
    return msgspec.convert(msgspec.json.decode(path.read_bytes())["headers"], list[Expected])


def read_recording(path: Path) -> Iterator[Timed]:
    """Yield the samples of a file, each as if it had arrived when it was valid, but behind those ahead of it."""
    decoder, last = msgspec.json.Decoder(Sample), 0
    with path.open("rb") as file:
        for line in file:
            try:
                sample = decoder.decode(line)
            except msgspec.DecodeError:
                sample = msgspec.convert(json.loads(line), Sample)
            last = max(last, sample.t_event or last)
            yield Timed(last, sample)
