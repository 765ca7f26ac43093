"""The rates, timeouts and degrees of concurrency of all parts of the running program, in one value for `serve`."""

from dataclasses import dataclass

from bot.http.readiness import READINESS_TIMES, ReadinessTimes
from bot.http.stored import READ_EVERY
from bot.inbound.floods import FLOOD_RULES, FloodRules
from bot.inbound.polling import POLL_PAUSES, PollPauses
from bot.inbound.worker import WORKER_PACE, WorkerPace
from bot.outbound.courier import COURIER_PACE, CourierPace
from bot.runtime.watchdog import WATCHDOG_TIMES, WatchdogTimes
from bot.telegram.limiter import RATES, Rates
from models.database.lease import LEASE_TIMES, LeaseTimes


@dataclass(frozen=True)
class Tuning:
    """The tuning of each part; the defaults are production's, tests pass others."""

    lease: LeaseTimes = LEASE_TIMES
    rates: Rates = RATES
    floods: FloodRules = FLOOD_RULES
    polls: PollPauses = POLL_PAUSES
    worker: WorkerPace = WORKER_PACE
    courier: CourierPace = COURIER_PACE
    readiness: ReadinessTimes = READINESS_TIMES
    watchdog: WatchdogTimes = WATCHDOG_TIMES
    # Seconds for which the database's numbers of /metrics are cached.
    read_every: float = READ_EVERY
    # Seconds after SIGTERM to finish work: one half for updates being processed, the other for sends in flight.
    grace: float = 7.0


PRODUCTION = Tuning()
