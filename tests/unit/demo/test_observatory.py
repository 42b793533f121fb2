"""The demonstration's sites know nothing of the server but its address, and their headers are FITS."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from astropy.io import fits

from armillary import demo
from armillary.demo.observatory import header_text

PROGRAM = Path(demo.__file__).with_name("observatory.py")
LIBRARIES = {"httpx", "numpy", "PIL"}


def test_a_site_imports_no_module_of_the_server() -> None:
    tree = ast.parse(PROGRAM.read_text())
    names = {
        (node.module or ".") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    packages = {name.partition(".")[0] for name in names}
    assert packages - sys.stdlib_module_names == LIBRARIES
    assert "importlib" not in packages


def test_its_headers_are_cards_of_fits() -> None:
    text = header_text({"OBJECT": "Barnard's star", "EXPTIME": 30.0, "FILTER": "w", "NUMBER": 7})
    assert len(text) % 80 == 0
    header = fits.Header.fromstring(text)
    assert (header["OBJECT"], header["EXPTIME"], header["FILTER"]) == ("Barnard's star", 30.0, "w")
    assert header["NUMBER"] == 7
