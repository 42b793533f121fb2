"""What an order may say of pictures and movies of a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from armillary.archive.errors import BadMediaOption
from armillary.archive.products.origins import IMAGE, VIDEO
from armillary.base.store.errors import KeyRefused
from armillary.base.store.places import check_key

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaOptions:
    """Whether picture and movie are made, and of which files below the root of the version, if any are named."""

    make_images: bool = True
    make_video: bool = True
    image_source: str | None = None
    video_source: str | None = None
    force: bool = False

    @classmethod
    def of(cls, options: Mapping[str, object]) -> MediaOptions:
        """Return what the options of an order say; null and an empty path say nothing.

        Raises
        ------
        BadMediaOption
            If one of them is no boolean or no path relative to the root.
        """
        said = {name: _checked(name, kind, options.get(name)) for name, kind in _TYPES.items()}
        return cls(**{name: value for name, value in said.items() if value is not None})  # type: ignore[arg-type]

    def makes(self, kind: str) -> bool:
        """Tell whether a kind is made."""
        return self.make_images if kind == IMAGE else self.make_video

    def named(self, kind: str) -> str | None:
        """Return the file that a kind is to be made of, if one is named."""
        return {IMAGE: self.image_source, VIDEO: self.video_source}[kind]


_TYPES: Mapping[str, type[bool] | type[str]] = {
    "make_images": bool,
    "make_video": bool,
    "image_source": str,
    "video_source": str,
    "force": bool,
}


def _checked(name: str, kind: type[bool] | type[str], value: object) -> bool | str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, kind):
        raise BadMediaOption(
            f"Option {name} is {'true or false' if kind is bool else 'a path'}, not {value!r}."
        )
    if isinstance(value, str):
        try:
            return check_key(value)
        except KeyRefused as error:
            raise BadMediaOption(f"Option {name}: {error.message}") from None
    return value
