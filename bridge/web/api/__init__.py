"""What pages of a shop with one basket call, under /api. Anybody may; writing is limited."""

from bridge.web.api.availability import blueprint as availability
from bridge.web.api.checkouts import blueprint as checkouts
from bridge.web.api.cleanup import blueprint as cleanup
from bridge.web.api.reservations import blueprint as reservations

blueprints = (availability, checkouts, cleanup, reservations)
