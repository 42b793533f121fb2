"""What a cube shall be like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from armillary.fits.models import Value

AXES = ("HPLN", "HPLT", "WAVE", "STOKES", "TIME")
"""The axes of a cube in the order of FITS: the first one varies fastest."""
EXTENSIONS = (
    "WCS-TAB",
    "VAR-EXT-DATE-BEG",
    "VAR-EXT-DATE-END",
    "VAR-EXT-SCANNUM",
    "VAR-EXT-ATMOS_R0",
    "VAR-EXT-DATAMEDN",
)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SolarCube:
    """A cube; equal descriptions give equal bytes.

    Attributes
    ----------
    begin, cadence_s
        When the first scan begins, and how many seconds each one takes.
    scans
        Their numbers, in the order of the cube; holes are fine.
    axes
        Those that the image has, of `AXES`; one that is left out has the length 1.
    named_scans
        Whether file name and FILENAME tell the scans.
    filename
        FILENAME, if it is not the name of the file.
    wcs
        Which coordinates the header gives: ``table`` refers to the extension WCS-TAB, ``linear`` is a plain WCS of
        pixels, ``alternate`` the centre of the field as WCS A.
    centre_arcsec, pixel_arcsec
        Where on the disk the field lies, and how large a pixel is.
    feature
        Where in the field a dark spot is, as fractions of width and height; None is a quiet Sun.
    drift
        By how much of the field the spot moves from scan to scan.
    noise
        Standard deviation, of a continuum of 1.
    border
        So many pixels at each edge are undefined.
    made
        DATE, and the date in the comments of checksums; empty leaves both out.
    without
        Extensions (`EXTENSIONS`), the column TIME-ATMOS_R0, and keywords of the primary header to leave out.
    cards
        Further keywords of the primary header, or other values.
    seed
        Of pattern and noise.
    """

    instrument: str = "CRISP"
    filter: str = "6302"
    begin: datetime = datetime(2026, 6, 21, 8, 10, tzinfo=UTC)
    cadence_s: float = 30.0
    scans: tuple[int, ...] = (0, 1)
    stokes: int = 1
    wavelengths: int = 5
    height: int = 48
    width: int = 64
    axes: tuple[str, ...] = AXES
    bitpix: int = -32
    named_scans: bool = True
    filename: str | None = None
    suffix: str = "corrected_im"
    wcs: frozenset[str] = frozenset({"table", "alternate"})
    centre_arcsec: tuple[float, float] = (-312.5, 140.25)
    pixel_arcsec: float = 0.058
    feature: tuple[float, float] | None = (0.35, 0.55)
    drift: tuple[float, float] = (0.02, 0.01)
    noise: float = 0.005
    border: int = 0
    made: str = "2026-06-23T12:00:00"
    release: str | None = "2026-06-21"
    release_comment: str | None = "The day of release is public."
    features: str | None = "Sunspot, Penumbra"
    events: str | None = "MISSING"
    point_id: str | None = None
    target: str = "AR 14100"
    without: frozenset[str] = frozenset()
    cards: Mapping[str, Value] = field(default_factory=dict)
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse what no cube can be."""
        lengths = self.lengths
        if long := [name for name in AXES if name not in self.axes and lengths[name] != 1]:
            raise ValueError(f"an axis that is left out has the length 1: {', '.join(long)}")
        if self.axes != tuple(name for name in AXES if name in self.axes) or self.axes[:2] != AXES[:2]:
            raise ValueError(f"axes are HPLN, HPLT and some of the others, in the order of {AXES}")
        if self.bitpix not in (-32, 16):
            raise ValueError("BITPIX is -32 or 16")

    @property
    def lengths(self) -> dict[str, int]:
        """The length of each axis of `AXES`."""
        return dict(
            zip(AXES, (self.width, self.height, self.wavelengths, self.stokes, len(self.scans)), strict=True)
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """NAXIS1, NAXIS2, ..."""
        return tuple(self.lengths[name] for name in self.axes)

    @property
    def data_bytes(self) -> int:
        """The bytes of its image, fill not counted."""
        size = abs(self.bitpix) // 8
        for length in self.shape:
            size *= length
        return size

    @property
    def date_beg(self) -> str:
        """DATE-BEG."""
        return iso(self.begin)

    @property
    def end(self) -> datetime:
        """When the last scan ends."""
        return self.begin + timedelta(seconds=self.cadence_s * len(self.scans))

    @property
    def name(self) -> str:
        """The name of its file."""
        told = f"_scans={self.scans[0]}-{self.scans[-1]}" if self.named_scans else ""
        return f"nb_{self.filter}_{self.date_beg}{told}_{self.suffix}.fits"

    @property
    def oid(self) -> str:
        """The oid that the profile gives it, if its name tells the scans."""
        return f"{self.date_beg}_{self.filter}_{self.scans[0]}-{self.scans[-1]}"

    @property
    def wavelengths_nm(self) -> list[float]:
        """The wavelengths, 7 pm apart around the line that the filter is named for."""
        centre, middle = float(self.filter) / 10, (self.wavelengths - 1) / 2
        return [round(centre + 0.007 * (number - middle), 6) for number in range(self.wavelengths)]

    def has(self, name: str) -> bool:
        """Tell whether an extension, a column or a keyword is not left out."""
        return name not in self.without


def iso(instant: datetime) -> str:
    """Return an instant as the headers say it: whole seconds, or milliseconds."""
    bare = instant.astimezone(UTC).replace(tzinfo=None)
    return bare.isoformat(timespec="milliseconds" if bare.microsecond else "seconds")
