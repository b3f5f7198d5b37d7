"""What staff call of the calendar, under /api/calendar/admin. Needs the scope `admin`."""

from bridge.web.calendar.admin.slots import blueprint as slots
from bridge.web.calendar.admin.waitlist import blueprint as waitlist

blueprints = (waitlist, slots)
