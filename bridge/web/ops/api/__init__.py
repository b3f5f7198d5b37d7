"""What programs of operators call, under /ops/api. Needs a key with the scope `ops`."""

from bridge.web.ops.api.audit import blueprint as audit
from bridge.web.ops.api.events import blueprint as events
from bridge.web.ops.api.orders import blueprint as orders
from bridge.web.ops.api.overview import blueprint as overview
from bridge.web.ops.api.queues import blueprint as queues
from bridge.web.ops.api.workers import blueprint as workers

blueprints = (events, queues, workers, orders, audit, overview)
