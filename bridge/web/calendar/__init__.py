"""Tours on a calendar, under /api/calendar: what anybody may ask and do, and what staff do beside it."""

from bridge.web.calendar.admin import blueprints as admin
from bridge.web.calendar.blackouts import blueprint as blackouts
from bridge.web.calendar.bookings import blueprint as bookings
from bridge.web.calendar.calendars import blueprint as calendars
from bridge.web.calendar.passengers import blueprint as passengers
from bridge.web.calendar.schedules import blueprint as schedules
from bridge.web.calendar.waitlist import blueprint as waitlist

blueprints = (calendars, bookings, waitlist, schedules, blackouts, passengers, *admin)
