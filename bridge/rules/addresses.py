"""Which addresses the outside world has, and which are somebody's inside: where webhooks must not go."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

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
