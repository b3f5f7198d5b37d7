"""What storefront pages call, under /store. Anybody may; writing is limited."""

from bridge.web.store.availability import blueprint as availability
from bridge.web.store.bookings import blueprint as bookings
from bridge.web.store.holds import blueprint as holds
from bridge.web.store.services import blueprint as services

blueprints = (availability, bookings, holds, services)
