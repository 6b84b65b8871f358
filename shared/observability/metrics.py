"""The metrics that every service has."""

from prometheus_client import Counter, Gauge, Histogram

REQUEST_SECONDS = Histogram(
    "http_request_seconds",
    "Requests by route template, from first byte in to last byte out",
    ["method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3, 10),
)
OUTBOX_AGE = Gauge("outbox_age_seconds", "Age of the oldest event not yet sent")
EVENTS_SENT = Counter("outbox_events_sent_total", "Events the broker acknowledged", ["topic"])
EVENTS_REFUSED = Counter(
    "outbox_events_refused_total", "Events that the broker refuses for their size", ["topic"]
)
EVENTS_HANDLED = Counter("events_handled_total", "Events that took effect", ["topic"])
EVENTS_UNPROVEN = Counter(
    "events_unproven_total", "Messages that the owner of their topic did not sign", ["topic"]
)
CONSUMER_LAG = Gauge("consumer_lag_events", "Events waiting", ["topic", "partition"])
DEAD_LETTERS = Gauge("dead_letters_open", "Messages set aside and not yet dealt with")
