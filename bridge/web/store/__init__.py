"""What storefront pages call, under /store. Anybody may; writing is limited."""

from bridge.web.store.availability import blueprint as availability
from bridge.web.store.holds import blueprint as holds

blueprints = (availability, holds)
