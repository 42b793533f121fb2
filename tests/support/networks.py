"""Another way to find out who asks: by the network that a request comes from."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network

from armillary.access.models import Credentials, Principal
from armillary.context import Context


class Networks:
    """The authenticator that knows who is in which network."""

    def __init__(self, known: Mapping[IPv4Network, Principal]) -> None:
        self._known = known

    async def identify(self, context: Context, shown: Credentials) -> Principal | None:
        """Return who works in the network of an address."""
        address = IPv4Address(shown.address) if shown.address else None
        return next((who for network, who in self._known.items() if address and address in network), None)
