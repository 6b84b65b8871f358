"""What the load does in a turn: agencies' systems and an external one at their daily work."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from tests.faults.journal import Dossier, Outcome, Pushed
from tests.faults.load import Call, Load, VerificationResult

DESK, DECIDER, STRANGER, EXTERNAL = "onestop-h26", "onestop-h29", "newcomer-h14", "external-h41"
PROCEDURE, FEE, AMOUNT = "1.001193", "LP-KSQH", 8_000
RESULT = {
    "code": "KQ.G15.000031",
    "number": "12/2026",
    "title": "Giấy khai sinh",
    "electronic": True,
}
PERSON = {
    "personal_number": "001090000001",
    "full_name": "Nguyễn Văn An",
    "birth_date": "1990-05-14",
}
MAX_ROWS = 5
# Where a row goes from where: an external dossier is received, handled, done.
PUSHED_STATUSES = (2, 4, 9)
# How often, of a hundred changes, a clerk is late (412) or wrong (409).
LATE, WRONG = 4, 4


class Desk:
    """What the clerks have on their tables; nobody else holds what one of them took up."""

    def __init__(self, serials: Iterator[int]) -> None:
        self.table: list[Dossier] = []
        self.pushed: list[Pushed] = []
        self._serials = serials
        self._weights: Mapping[Callable[[Load], Awaitable[None]], int] = {
            self._file: 28,
            self._handle: 34,
            self._verify: 10,
            self._push: 8,
            self._read: 10,
            self._look: 6,
            self._pry: 3,
            self._sign_in: 1,
        }

    async def play(self, load: Load) -> None:
        (act,) = load.chance.choices(list(self._weights), list(self._weights.values()))
        await act(load)

    async def _file(self, load: Load) -> None:
        desk = f"H26.{load.chance.randrange(101, 201)}"
        decider = load.chance.choice([DESK, DESK, DECIDER])
        key = load.new_id()
        body = {
            "procedure": PROCEDURE,
            "channel": 2,
            "applicant": {
                "kind": 1,
                "name": PERSON["full_name"],
                "personal_number": PERSON["personal_number"],
            },
            "received_by": desk,
            "decided_by": desk if decider == DESK else "H29.101",
            "fees": [FEE],
            "external_code": key,
        }
        call = Call("file", DESK, "POST", "/dossier/v1/dossiers", key, body)
        answer = await load.ask(call)
        if answer.outcome is Outcome.ACKNOWLEDGED:
            dossier = Dossier(answer.body["code"], DESK, decider, 1, answer.body["status"], AMOUNT)
            load.journal.filed[key] = dossier
            self.table.append(dossier)
        elif answer.outcome is Outcome.UNKNOWN:
            load.journal.doubtful_filings.add(key)

    async def _handle(self, load: Load) -> None:
        if not self.table:
            await self._file(load)
            return
        dossier = self.table.pop(load.chance.randrange(len(self.table)))
        luck = load.chance.randrange(100)
        if luck < LATE:
            await self._change(load, dossier, "transitions", {"to": 8}, late=True)
        elif luck < LATE + WRONG:
            wrong = 1 if dossier.status == 9 else 10
            await self._change(load, dossier, "transitions", {"to": wrong}, refusals={409})
        else:
            await self._advance(load, dossier)
        if dossier.status != 10 and not dossier.doubtful:
            self.table.append(dossier)

    async def _advance(self, load: Load, dossier: Dossier) -> None:
        match dossier.status:
            case 1 if dossier.reference is None:
                await self._change(load, dossier, "transitions", {"to": 6})
            case 6 if dossier.reference is None:
                reference = f"PAY-{load.new_id()}"
                payment = {
                    "fee": FEE,
                    "amount_vnd": AMOUNT,
                    "reference": reference,
                    "method": "online",
                }
                if await self._change(load, dossier, "payments", payment):
                    dossier.reference = reference
            case 4 if not dossier.has_result:
                changed = await self._change(load, dossier, "results", RESULT)
                dossier.has_result = changed
            case 4 if load.chance.random() < 0.2:
                await self._change(load, dossier, "progress", {"step": "civil-status-officer"})
            case status:
                onward = {6: 1, 1: 2, 2: 4, 4: 9, 9: 10}[status]
                await self._change(load, dossier, "transitions", {"to": onward})

    async def _change(
        self,
        load: Load,
        dossier: Dossier,
        what: str,
        body: Any,
        *,
        late: bool = False,
        refusals: set[int] | None = None,
    ) -> bool:
        decides = what in {"results", "progress"} or body.get("to") == 9 or dossier.status == 4
        client = dossier.decider if decides else dossier.client
        version = dossier.version + 1 if late else dossier.version
        answer = await load.ask(
            Call(
                {"payments": "pay", "results": "issue", "progress": "note"}.get(what, "move"),
                client,
                "POST",
                f"/dossier/v1/dossiers/{dossier.code}/{what}",
                load.new_id(),
                body,
                {"If-Match": f'"{version}"'},
                {HTTPStatus.PRECONDITION_FAILED} if late else refusals or (),
            )
        )
        if (late or refusals) and answer.outcome is Outcome.ACKNOWLEDGED:
            load.journal.surprises.append(f"{dossier.code}: a wrong change was taken: {body}")
        return _learn(dossier, answer)

    async def _verify(self, load: Load) -> None:
        call = Call("verify", DESK, "POST", "/identity/v1/verifications", load.new_id(), PERSON)
        answer = await load.ask(call)
        if answer.outcome is Outcome.ACKNOWLEDGED and answer.body["result"] != "MATCH":
            load.journal.surprises.append(f"verify: {answer.body['result']}")

    async def _push(self, load: Load) -> None:
        rows = [self._next_row(load) for _ in range(load.chance.randint(1, MAX_ROWS))]
        body = {"rows": [_row(each) for each in rows]}
        call = Call(
            "push", EXTERNAL, "POST", "/sync/v1/dossiers", load.new_id(), body, personal=False
        )
        answer = await load.ask(call)
        results = answer.body["results"] if answer.outcome is Outcome.ACKNOWLEDGED else []
        for each in rows if not results else ():
            self._doubt(load, each)
        for each, result in zip(rows, results, strict=bool(results)):
            if result["outcome"] in {"accepted", "updated"}:
                load.journal.pushed[each.code] = each
                self.pushed.append(each)
            else:
                load.journal.surprises.append(f"push: {each.code}: {result}")

    def _next_row(self, load: Load) -> Pushed:
        """One of those pushed before, a step further; or a new one."""
        if self.pushed and load.chance.random() < 0.5:
            before = self.pushed.pop(load.chance.randrange(len(self.pushed)))
            if before.status != PUSHED_STATUSES[-1]:
                onward = PUSHED_STATUSES[PUSHED_STATUSES.index(before.status) + 1]
                return Pushed(before.code, before.version + 1, onward)
        code = f"H41.105-{datetime.now(UTC):%Y%m%d}-{next(self._serials):07}"
        return Pushed(code, 1, PUSHED_STATUSES[0])

    def _doubt(self, load: Load, each: Pushed) -> None:
        if known := load.journal.pushed.get(each.code):
            known.doubtful = True

    async def _read(self, load: Load) -> None:
        """One's own dossier, which shows at least what was acknowledged."""
        if not self.table:
            return
        dossier = load.chance.choice(self.table)
        told, path = dossier.version, f"/dossier/v1/dossiers/{dossier.code}"
        answer = await load.ask(Call("read", DESK, "GET", path, load.new_id()))
        if answer.outcome is Outcome.ACKNOWLEDGED and answer.body["version"] < told:
            load.journal.surprises.append(f"{dossier.code}: acknowledged {told}, shown less")

    async def _look(self, load: Load) -> None:
        path = "/sync/v1/dossiers?limit=5"
        await load.ask(Call("look", DESK, "GET", path, load.new_id(), personal=False))

    async def _pry(self, load: Load) -> None:
        """Refused, and on record."""
        call = Call(
            "pry",
            STRANGER,
            "POST",
            "/identity/v1/verifications",
            load.new_id(),
            PERSON,
            refusals={HTTPStatus.FORBIDDEN},
        )
        answer = await load.ask(call)
        if answer.outcome is Outcome.ACKNOWLEDGED:
            load.journal.surprises.append("a system without a right was answered")

    async def _sign_in(self, load: Load) -> None:
        await load.sign_in(load.chance.choice([DESK, DECIDER, EXTERNAL, STRANGER]))


def _learn(dossier: Dossier, answer: VerificationResult) -> bool:
    """True where the change was acknowledged."""
    if answer.outcome is Outcome.ACKNOWLEDGED:
        dossier.version, dossier.status = answer.body["version"], answer.body["status"]
    elif answer.outcome is Outcome.UNKNOWN:
        dossier.doubtful = True
    return answer.outcome is Outcome.ACKNOWLEDGED


def _row(pushed: Pushed) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {
        "code": pushed.code,
        "procedure": PROCEDURE,
        "channel": 1,
        "status": pushed.status,
        "version": pushed.version,
        "source_time": now,
        "received_by": "H41.105",
        "decided_by": "H41.105",
        "filed_at": "2026-11-02T08:00:00+07:00",
        "received_at": "2026-11-02T08:00:00+07:00",
        "due_at": "2026-11-04T08:00:00+07:00",
        **({"finished_at": now} if pushed.status == PUSHED_STATUSES[-1] else {}),
    }
