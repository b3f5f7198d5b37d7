"""What staff call, under /admin. Needs the scope `admin`."""

from bridge.web.admin.allocations import blueprint as allocations
from bridge.web.admin.blackouts import blueprint as blackouts
from bridge.web.admin.bookings import blueprint as bookings
from bridge.web.admin.capacity import blueprint as capacity
from bridge.web.admin.reports import blueprint as reports
from bridge.web.admin.reservations import blueprint as reservations
from bridge.web.admin.resources import blueprint as resources
from bridge.web.admin.services import blueprint as services
from bridge.web.admin.shortfalls import blueprint as shortfalls
from bridge.web.admin.staff import blueprint as staff
from bridge.web.admin.webhooks import blueprint as webhooks

blueprints = (
    resources,
    capacity,
    blackouts,
    reports,
    allocations,
    shortfalls,
    reservations,
    bookings,
    services,
    staff,
    webhooks,
)
