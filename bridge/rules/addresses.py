"""Which addresses the outside world has, and which are somebody's inside: where webhooks must not go."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

# Public by their numbers, in some version of Python or always, and yet the inside of a network.
_INSIDE = tuple(
    map(
        ip_network,
        (
            "168.63.129.16/32",  # Azure's own services, from within.
            "192.0.0.0/24",  # Protocols' own; Oracle's cloud keeps its credentials there.
            "192.88.99.0/24",  # Relays of 6to4: wherever the nearest is.
            "64:ff9b:1::/48",  # NAT64 of a network's own: RFC 8215.
            "fec0::/10",  # Site-local, before fc00::/7.
        ),
    )
)
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address.
# Names that are somebody's inside wherever they are asked for: RFC 6761, RFC 6762, and what ICANN keeps for that.
_INNER_NAMES = ("localhost", "local", "internal")


def refuse_url(url: str, *, allow_private: bool) -> str | None:
    """Why no webhook may be sent to `url`, for people; None when one may. Names are not looked up: see is_public."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "Not a URL."
    if not (url.isascii() and url.isprintable()) or " " in url:
        return "Must be ASCII without spaces; a name of other letters is written in punycode."
    if parts.scheme not in ({"https", "http"} if allow_private else {"https"}):
        return "Must begin with https://, unless WEBHOOKS_ALLOW_PRIVATE is set."
    if not host:
        return "Must name a host."
    if parts.username is not None or parts.password is not None:
        return "Must not carry a user or a password: deliveries are signed."
    if parts.fragment:
        return "Must not have a fragment."
    if not allow_private and _is_inner(host):
        return "Must not be a private address, unless WEBHOOKS_ALLOW_PRIVATE is set."
    return None


def _is_inner(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host.rstrip(".").rpartition(".")[2].lower() in _INNER_NAMES
    return not is_public(host)


def is_public(address: str) -> bool:
    """Whether `address` (of numbers, without brackets) is of the public Internet: neither private nor loopback,
    link-local (where clouds keep their credentials), multicast, reserved, nor an IPv6 form of such an address.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_is_outside(each) for each in _leading_to(parsed))


def _is_outside(address: IPv4Address | IPv6Address) -> bool:
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_unspecified)
        and not any(address in network for network in _INSIDE if network.version == address.version)
    )


def _leading_to(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address, and the IPv4 addresses that an IPv6 address carries; of NAT64 only what it carries."""
    if isinstance(address, IPv4Address):
        return [address]
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    return [address, *(each for each in carried if each is not None)]
