"""What operators use, under /ops: a console for people, and /ops/api for their programs."""

from bridge.web.ops.api import blueprints as api
from bridge.web.ops.events import blueprint as events
from bridge.web.ops.orders import blueprint as orders
from bridge.web.ops.overview import blueprint as overview
from bridge.web.ops.queues import blueprint as queues
from bridge.web.ops.reservations import blueprint as reservations
from bridge.web.ops.sessions import blueprint as sessions
from bridge.web.ops.shortfalls import blueprint as shortfalls
from bridge.web.ops.webhooks import blueprint as webhooks
from bridge.web.ops.workers import blueprint as workers

blueprints = (*api, sessions, overview, events, queues, workers, orders, reservations, shortfalls, webhooks)
