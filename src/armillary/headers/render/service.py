"""What rendering offers: questions to the bus, a header from the answers, and its forms as bytes.

All of it is pure. Rendering takes milliseconds of CPU, so do it outside the event loop; call `prepare` when a
service starts, else the first header waits for it.
"""

from __future__ import annotations

from armillary.headers.render.fitsfile import fits_bytes
from armillary.headers.render.measuring import Measured, measure, with_segments
from armillary.headers.render.rendering import image_parts, pending, prepare, questions, render
from armillary.headers.render.sidecar import Sidecar, read_sidecar, sidecar, sidecar_of
from armillary.headers.render.yamlfile import correction, yaml_bytes

__all__ = [
    "Measured",
    "Sidecar",
    "correction",
    "fits_bytes",
    "image_parts",
    "measure",
    "pending",
    "prepare",
    "questions",
    "read_sidecar",
    "render",
    "sidecar",
    "sidecar_of",
    "with_segments",
    "yaml_bytes",
]
