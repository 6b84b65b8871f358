from identity_service.guess_counts import forget_guesses
from identity_service.keys import forget_ended_keys
from identity_service.store import forget_ended_proposals, forget_used_assertions
from shared.runtime.worker import Timer

TIMERS = (
    Timer(600, forget_used_assertions),
    Timer(600, forget_ended_proposals),
    Timer(600, forget_ended_keys),
    Timer(600, forget_guesses),
)
