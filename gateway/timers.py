"""List the periodic work of the worker."""

from gateway.ledger.jobs import anchor_all_chains, anchor_chains
from shared.runtime.timers import Timer

ANCHOR_SECONDS = 10.0
DAY_SECONDS = 86_400.0

TIMERS = (Timer(ANCHOR_SECONDS, anchor_chains), Timer(DAY_SECONDS, anchor_all_chains))
