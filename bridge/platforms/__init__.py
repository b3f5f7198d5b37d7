"""Which platforms can speak to the bridge. Another one is one more file beside medusa.py, and one more line here."""

from __future__ import annotations

from types import ModuleType

from bridge.platforms import medusa, stripe

PLATFORMS: dict[str, ModuleType] = {"medusa": medusa, "stripe": stripe}
