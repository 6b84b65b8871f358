"""List the periodic work of the worker."""

from gateway.ledger.jobs import anchor_all_chains, anchor_chains
from shared.runtime.timers import Timer

ANCHOR_S = 10.0
DAY_S = 86_400.0

TIMERS = (Timer(ANCHOR_S, anchor_chains), Timer(DAY_S, anchor_all_chains))
