"""Addresses of things: paths from the root of the host, with whatever the service is mounted below."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

from armillary.demo.svo.replies import bad
from armillary.demo.svo.world import Location, World


class Uris:
    """Addresses below a prefix."""

    def __init__(self, world: World, prefix: str) -> None:
        self._world, self.prefix = world, prefix.rstrip("/")

    def of(self, *parts: str) -> str:
        """Return the path of a resource, each part encoded whole."""
        return "/".join((self.prefix, *(quote(part, safe=":") for part in parts))) + "/"

    def dataset(self, name: str) -> str:
        """Return the address of a dataset."""
        return self.of("dataset", name)

    def location(self, number: int) -> str:
        """Return the address of a location."""
        return self.of("data_location", str(number))

    def tag(self, number: int) -> str:
        """Return the address of a tag."""
        return self.of("tag", str(number))

    def parts(self, path: str) -> list[str]:
        """Return the decoded parts of a path below the prefix; of paths elsewhere none."""
        if not path.startswith(f"{self.prefix}/"):
            return []
        return [unquote(part) for part in path.removeprefix(f"{self.prefix}/").rstrip("/").split("/")]

    def dataset_of(self, uri: object) -> str:
        """Return the name of the dataset that a URI means, a path or a whole URL."""
        found = self._named(uri, "dataset")
        if found not in self._world.datasets:
            raise bad(f"Could not find the provided object via resource URI '{uri}'.")
        return found

    def location_of(self, uri: object) -> Location:
        """Return the location that a URI means."""
        found = self._world.locations.get(_number(self._named(uri, "data_location")))
        if found is None:
            raise bad(f"Could not find the provided object via resource URI '{uri}'.")
        return found

    def tag_of(self, uri: object) -> int:
        """Return the tag that a URI means."""
        found = _number(self._named(uri, "tag"))
        if found not in self._world.tags:
            raise bad(f"Could not find the provided object via resource URI '{uri}'.")
        return found

    def _named(self, uri: object, kind: str) -> str:
        parts = self.parts(urlsplit(uri).path) if isinstance(uri, str) else []
        return parts[1] if len(parts) == 2 and parts[0] == kind else ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
