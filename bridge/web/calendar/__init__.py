"""Tours on a calendar, under /api/calendar: availability and bookings for everybody, the rest for staff."""

from bridge.web.calendar.blackouts import blueprint as blackouts
from bridge.web.calendar.bookings import blueprint as bookings
from bridge.web.calendar.calendars import blueprint as calendars
from bridge.web.calendar.passengers import blueprint as passengers
from bridge.web.calendar.schedules import blueprint as schedules

blueprints = (calendars, bookings, schedules, blackouts, passengers)
