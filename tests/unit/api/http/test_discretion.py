"""Directories of the server go out of texts; what only looks like them stays."""

from __future__ import annotations

import pytest

from armillary.api.http.discretion import discreet

KNOWN = {"/srv/arm": "DIR", "/srv/arm/store": "store", "/raid/my nights": "my_nights-1a2b"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/srv/arm/store/20260101/N1.fits is gone.", "store/20260101/N1.fits is gone."),
        ("/raid/my nights/a b.fits: no END", "my_nights-1a2b/a b.fits: no END"),
        ("/srv/arm/private/x (for a.fits)", "DIR/private/x (for a.fits)"),
        ("/srv/armour/x.fits: no", "...: no"),
        ("PermissionError: [Errno 13] Permission denied: '/etc/my secret/x'",
         "PermissionError: [Errno 13] Permission denied: '...'"),
        ('leads to "/home/ann/x y.fits", outside', 'leads to "...", outside'),
        ("/a/b and 20260101/c.fits are two", "... and 20260101/c.fits are two"),
        ("(/opt/x/y); then", "(...); then"),
        ("N1.fits: no (see /var/log/x.log).", "N1.fits: no (see ...)."),
    ],
)  # fmt: skip
def test_directories_are_named_or_left_out(text: str, told: str) -> None:
    assert discreet(text, KNOWN) == told


@pytest.mark.parametrize(
    "text",
    [
        "20260101/N1.fits is gone.",
        "ask /v1/changes for more, or /update_headers/c305aa10",
        "'/v1/orders/7' tells",
        "GET https://archive.example/upload_file/a/b.fits: 503",
        "Illegal value '70/80' for 'raw_site'",
        "iq70/cc50/wv80",
        "a / b / c",
        "",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert discreet(text, KNOWN) == text
