"""Sites that are known by the addresses which their requests come from."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from armillary.access.models import Credentials, Permission, Principal, Scope
from armillary.context import Context
from armillary.settings.auth import AddressSettings


class Addresses:
    """The authenticator that knows which site an address is of.

    A site says nothing about itself, so this is for programs that cannot be told a key. What an address is of more
    than one entry is of all of them.
    """

    def __init__(self, entries: Iterable[AddressSettings]) -> None:
        self._entries = tuple(entries)
        self._known = lru_cache(maxsize=1024)(self._find)

    async def identify(self, context: Context, shown: Credentials) -> Principal | None:
        """Return the site of an address; nobody if a page of another site lets a browser ask."""
        return self._known(shown.address) if self._entries and shown.address else None

    def _find(self, text: str) -> Principal | None:
        try:
            address = ip_address(text)
        except ValueError:
            return None
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        found = [one for one in self._entries if any(address in network for network in one.networks)]
        if not found:
            return None
        sites = dict.fromkeys(site for one in found for site in one.sites)
        allowed = (permission for one in found for permission in _permissions_of(one))
        return Principal(f"address of {', '.join(sites)}", frozenset(allowed))


def _permissions_of(entry: AddressSettings) -> Iterable[Permission]:
    return (Permission(Scope(scope), site) for scope in entry.scopes for site in entry.sites)
