"""Which addresses webhooks may go to."""

from __future__ import annotations

import pytest

from bridge.rules.addresses import is_public, refuse_url


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::8.8.8.8", "2002:808:808::1"],
)
def test_an_address_of_the_internet_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",  # Carriers' own.
        "169.254.1.1",
        "169.254.169.254",  # AWS, GCP, Azure keep credentials there,
        "fd00:ec2::254",  # and there,
        "100.100.100.200",  # Alibaba there,
        "192.0.0.192",  # Oracle there.
        "168.63.129.16",  # Azure's own services.
        "198.18.0.1",
        "203.0.113.5",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "localhost",
        "",
    ],
)
def test_an_address_of_somebodys_inside_is_not(address):
    assert not is_public(address)


@pytest.mark.parametrize("url", ["https://shop.example/hook", "https://shop.example:8443/a?b=c", "https://8.8.8.8/"])
def test_a_public_https_url_is_taken(url):
    assert refuse_url(url, allow_private=False) is None


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://shop.example/hook", "https"),
        ("ftp://shop.example/hook", "https"),
        ("shop.example", "https"),
        ("https://", "host"),
        ("https://user:secret@shop.example/", "password"),
        ("https://shop.example/#part", "fragment"),
        ("https://shop.example:99999/", "URL"),
        ("https://[::1", "URL"),
        ("https://shop.example/a b", "ASCII"),
        ("https://bücher.example/", "ASCII"),
        ("https://shop.example/\r\nx: y", "ASCII"),
        ("https://127.0.0.1/", "private"),
        ("https://[::1]/", "private"),
        ("https://localhost/", "private"),
        ("https://LOCALHOST./", "private"),
        ("https://db.internal/", "private"),
    ],
)
def test_any_other_url_is_refused_and_the_reason_given(url, says):
    assert says in (refuse_url(url, allow_private=False) or "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://localhost/", "https://10.0.0.1/"])
def test_where_private_addresses_are_allowed_they_are_taken(url):
    assert refuse_url(url, allow_private=True) is None
