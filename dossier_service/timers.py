from dossier_service.dossiers.jobs import recalculate_next_batch
from shared.runtime.timers import Timer, pass_now

TIMERS = (Timer(30, pass_now(recalculate_next_batch)),)
