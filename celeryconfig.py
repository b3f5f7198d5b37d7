"""How Celery is to behave, whatever the broker; and what each kind of broker needs. Every number says why.

The broker only wakes people up: what must survive is a row in PostgreSQL. So nothing here tries to make a message
safe at the price of speed, and everything keeps one that is lost, doubled or stuck from doing harm.
"""

from __future__ import annotations

from typing import Any

from kombu.entity import Exchange, Queue

timezone = "UTC"

# -- messages ----------------------------------------------------------------------------------------------------------

task_serializer = "json"
accept_content = ["json"]  # No pickle: who can reach the broker must not be able to run code.
task_ignore_result = True  # Results are rows. A result backend would be one more thing to lose.
result_backend = None
result_expires = None  # Otherwise beat asks every night for results to be cleaned up.

# -- queues ------------------------------------------------------------------------------------------------------------

_exchange = Exchange("bridge", type="direct")  # type: ignore[no-untyped-call]  # kombu is half typed.


def _queue(name: str) -> Queue:
    # Quorum queues lose nothing when RabbitMQ is killed; the arguments mean nothing to Redis. A message that killed 20
    # workers is dropped: its row counts too, and fails long before.
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 20}
    return Queue(name, _exchange, routing_key=name, queue_arguments=arguments)  # type: ignore[no-untyped-call]  # as above


# Apart, so that slow mail does not hold up orders, nor a sweep either of them. Fewer than 47 characters each.
task_queues = [_queue(name) for name in ("bridge.events", "bridge.outgoing", "bridge.webhooks", "bridge.maintenance")]
task_default_queue = "bridge.events"
task_default_exchange = "bridge"
task_create_missing_queues = False  # A typo must fail, not fill a queue that nobody serves.
task_routes = {
    "tasks.events.*": {"queue": "bridge.events"},
    "tasks.outgoing.*": {"queue": "bridge.outgoing"},
    "tasks.webhooks.*": {"queue": "bridge.webhooks"},
    "tasks.maintenance.*": {"queue": "bridge.maintenance"},
}

# -- tasks -------------------------------------------------------------------------------------------------------------

# A message is taken off the broker when its task has ended, well or badly: a failure is in its row by then, and a
# worker that dies leaves the message to the next.
task_acks_late = True
task_acks_on_failure = True
task_acks_on_timeout = True
task_reject_on_worker_lost = True
task_retry_on_worker_lost = False  # The row's count of attempts does this on every broker.
# The relay rings again by itself, and must notice at once that a broker is down.
task_publish_retry = False
# Soft below hard: most tasks that take too long can still write down that they did. Hard below the lease of an event
# (90 s in bridge/core/events.py), so that two workers never act for the same one.
task_soft_time_limit = 50
task_time_limit = 60

# -- workers -----------------------------------------------------------------------------------------------------------

worker_consumer = "tasks.quorum_queues:Consumer"
worker_pool = "prefork"  # A task may block, crash or leak; threads would share all three.
# Tasks take milliseconds: with one message at a time each would wait for the broker's round trip. More than a few
# would lie about in a worker that is stuck.
worker_prefetch_multiplier = 8
worker_max_tasks_per_child = 5000  # Whatever leaks, leaks no further. Seconds of work lie between two forks.
worker_max_memory_per_child = 400_000  # KiB; a worker uses a quarter of it.
worker_enable_remote_control = False  # Nobody uses it: processes are rows. It costs queues, polls and leaks.
worker_send_task_events = False  # Halves RabbitMQ's throughput, and nobody listens.
worker_hijack_root_logger = False  # bridge/logs.py says how to log.
worker_redirect_stdouts = False
# What is under way when the connection is lost may finish: its message comes again and finds nothing to claim. Killed,
# its event would wait for the lease to end.
worker_cancel_long_running_tasks_on_connection_loss = False

# -- the connection ----------------------------------------------------------------------------------------------------

broker_connection_timeout = 3  # Seconds; a broker further away than that is down.
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # For ever: a broker may be away for a night.
broker_heartbeat = 30  # Seconds; RabbitMQ hangs up on a worker that was silent for twice as long.

transport_options: dict[str, dict[str, Any]] = {
    "amqp": {
        # Without confirms a publish to a frozen RabbitMQ succeeds into nothing.
        "confirm_publish": True,
        # Seconds until a frozen one is an error; without, publishing hangs for a minute or for ever.
        "read_timeout": 5,
        "write_timeout": 5,
    },
    "redis": {
        # Seconds until the message of a dead worker is delivered again: more than a task may take.
        "visibility_timeout": 120,
        # Look for such messages every 2 s, not every 100 (10 s x 10 rounds).
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        # As above.
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 10,  # Seconds; notices a connection that a firewall has forgotten.
    },
}

# -- beat --------------------------------------------------------------------------------------------------------------

# The schedule lives in memory: a file of it breaks when beat is killed, and each of these may as well start anew.
beat_scheduler = "tasks.beat:Scheduler"
beat_max_loop_interval = 5  # Seconds between two signs of life.

# A minute after it was sent a message is worthless, for another has been: a worker that comes back after a night
# finds a dozen, not thousands. Not less than a minute, or hosts whose clocks differ would drop all of them.
# Publishing again is how beat gets a new connection; for no longer than 2 s, because the next message comes soon.
_options = {
    "expires": 60,
    "retry": True,
    "retry_policy": {"max_retries": 3, "interval_start": 0, "interval_step": 0.5, "interval_max": 1},
}
beat_schedule: dict[str, dict[str, Any]] = {
    # Only tidies up: lapsed holds count as free before. Set to SWEEP_SECONDS by tasks.configure.
    "sweep_holds": {"task": "tasks.maintenance.sweep_holds", "schedule": 5.0, "options": _options},
    # Only catches up: whoever gives seats back hands them over.
    "tend_waitlist": {"task": "tasks.maintenance.tend_waitlist", "schedule": 15.0, "options": _options},
    # Often, though days are over only once: each zone has its own night, and little at a time locks little.
    "follow_travel": {"task": "tasks.maintenance.follow_travel", "schedule": 300.0, "options": _options},
    # Each minute: the nearest reminder is an hour before, and should not be five minutes late.
    "remind_of_appointments": {
        "task": "tasks.maintenance.remind_of_appointments",
        "schedule": 60.0,
        "options": _options,
    },
    "audit_ledger": {"task": "tasks.maintenance.audit_ledger", "schedule": 60.0, "options": _options},
    "reconcile_orders": {"task": "tasks.maintenance.reconcile_orders", "schedule": 60.0, "options": _options},
    # Up to 200 orders a turn: 10,000 bookings ahead are compared all round in four hours, by 2,900 calls a day.
    "compare_orders": {"task": "tasks.maintenance.compare_orders", "schedule": 300.0, "options": _options},
    # Hourly, though a day is added only nightly: each zone has its own night.
    "fill_horizon": {"task": "tasks.maintenance.fill_horizon", "schedule": 3600.0, "options": _options},
    # Often, not daily: a beat that is started anew every day would never get there. 30 s of every ten minutes forget
    # twenty times as many events as a hundred a second bring.
    "purge_old": {"task": "tasks.maintenance.purge_old", "schedule": 600.0, "options": _options},
}
