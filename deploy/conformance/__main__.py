"""Judge a client system against a sandbox: `python -m deploy.conformance --url … --client …`.

Exit codes: 0 passed, 1 failed, 2 could not judge.
"""

import asyncio
import sys
import traceback
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from deploy.conformance.catalogue import Profile, Step, list_steps
from deploy.conformance.faults import Timing
from deploy.conformance.pdf import build_pdf, is_pdf_possible
from deploy.conformance.proxy import Proxy, serve_proxy
from deploy.conformance.recorder import Recorder
from deploy.conformance.report import Outcome, Report, Run, build_report, serialise_report
from deploy.conformance.sandbox import NoSandbox, Sandbox
from deploy.conformance.script import Actor, Interrupted, Limits, Script, describe_call, run_command
from deploy.conformance.stage import Stage
from shared.codes.time import utc_now

EXIT_CODES = {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.NOT_JUDGED: 2}
# The command runs on this machine, also where the kit answers other machines.
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 -- compared, not bound
_REPORT = Path("conformance.json")
_EVERY_PROBLEM = "also answer once with each type of problem"
cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options of a run; `listen` is host and port of the kit, port 0 is any free one.

    `steps` names the steps to run, None for all of the profile.
    """

    url: str
    client: str
    profile: Profile = Profile.ONESTOP
    listen: str = "127.0.0.1:8900"
    actor: Actor | None = None
    every_problem: bool = False
    steps: tuple[str, ...] | None = None
    limits: Limits = field(default_factory=Limits)
    timing: Timing = field(default_factory=Timing)


def _say(text: str) -> None:
    typer.echo(text)


async def judge_client(wishes: Wishes) -> Report:
    """Return the report of a run; raise NoSandbox, Interrupted, or OSError for a taken port."""
    began_at, stage, recorder = utc_now(), Stage(), Recorder(wishes.client)
    async with Sandbox(wishes.url.rstrip("/")) as sandbox:
        proxy = Proxy(
            sandbox,
            recorder,
            stage,
            timing=wishes.timing,
            show=lambda call: _say(describe_call(call)),
        )
        host, port = read_address(wishes.listen)
        async with serve_proxy(proxy, host.strip("[]"), port) as actual_port:
            kit_url = f"http://{_ANYWHERE.get(host, host)}:{actual_port}"
            _say(f"The kit answers at {kit_url}; {wishes.url} is a sandbox.")
            script = Script(
                profile=wishes.profile,
                stage=stage,
                recorder=recorder,
                proxy=proxy,
                limits=wishes.limits,
                kit_url=kit_url,
                actor=wishes.actor,
                show=_say,
            )
            steps = _select_steps(wishes)
            runs = await script.run_steps(steps)
        run = _describe_run(wishes, sandbox.issuer, began_at)
    return build_report(run, recorder.build_trace({step.name: step.count for step in steps}), runs)


def read_address(text: str) -> tuple[str, int]:
    """Return host and port; raise ValueError."""
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdecimal()):
        raise ValueError(f"{text} is no host with a port, as 127.0.0.1:8900")
    return host, int(port)


def _select_steps(wishes: Wishes) -> tuple[Step, ...]:
    steps = list_steps(wishes.profile, every_problem=wishes.every_problem)
    return tuple(step for step in steps if wishes.steps is None or step.name in wishes.steps)


def _describe_run(wishes: Wishes, issuer: str, began_at: datetime) -> Run:
    return Run(
        run=str(uuid4()),
        client=wishes.client,
        profile=wishes.profile,
        every_problem=wishes.every_problem,
        gateway=wishes.url,
        issuer=issuer,
        began_at=began_at,
        ended_at=utc_now(),
    )


def write_report(report: Report, path: Path, *, with_pdf: bool) -> None:
    """Write the JSON, and beside it the PDF that names its digest."""
    content = serialise_report(report)
    path.write_bytes(content)
    _say(f"{path}: SHA-256 {sha256(content).hexdigest()}")
    if with_pdf:
        path.with_suffix(".pdf").write_bytes(build_pdf(report))
        _say(str(path.with_suffix(".pdf")))


def _show_rules(report: Report) -> None:
    for rule in report.rules:
        _say(f"{rule.outcome.upper():10} {rule.number:2} {rule.title}")
        for fault in rule.faults:
            calls = ", ".join(map(str, fault.calls))
            _say(f"{'':13} {fault.text} (calls {calls})")


def _refuse(reason: object) -> typer.Exit:
    typer.echo(f"Could not judge: {reason}", err=True)
    return typer.Exit(EXIT_CODES[Outcome.NOT_JUDGED])


def _require_place(report: Path, *, with_pdf: bool) -> None:
    """Refuse before the run where its report could not be written after it."""
    if with_pdf and not is_pdf_possible():
        raise _refuse("the PDF needs the package typst; install it, or leave it out by --no-pdf.")
    if not report.parent.is_dir():
        raise _refuse(f"there is no folder {report.parent} for the report.")


def _judge_or_refuse(wishes: Wishes) -> Report:
    try:
        return asyncio.run(judge_client(wishes))
    except (NoSandbox, Interrupted, OSError, ValueError) as reason:
        raise _refuse(reason) from None
    except KeyboardInterrupt:
        raise _refuse("the run was ended.") from None


@cli.command()
def run(
    *,
    url: Annotated[str, typer.Option(help="the gateway of a sandbox")],
    client: Annotated[str, typer.Option(help="the client whose system is judged")],
    profile: Annotated[Profile, typer.Option(help="the kind of system")] = Profile.ONESTOP,
    listen: Annotated[str, typer.Option(help="where your system calls the kit")] = "127.0.0.1:8900",
    act: Annotated[str | None, typer.Option(help="your command: COMMAND ACT COUNT")] = None,
    every_problem: Annotated[bool, typer.Option("--every-problem", help=_EVERY_PROBLEM)] = False,
    step_timeout: Annotated[float, typer.Option(min=1, help="seconds a step lasts at most")] = 120,
    settle: Annotated[float, typer.Option(min=0.1, help="quiet seconds that end a step")] = 10,
    retry_after: Annotated[int, typer.Option(min=1, help="seconds that 429 and 503 ask for")] = 3,
    late: Annotated[float, typer.Option(min=0.1, help="seconds of the late answer")] = 10.5,
    report: Annotated[Path, typer.Option(help="the JSON; the PDF stands beside it")] = _REPORT,
    pdf: Annotated[bool, typer.Option(help="write the PDF")] = True,
) -> None:
    """Judge a client system: point it at the kit, which passes its calls on to a sandbox."""
    _require_place(report, with_pdf=pdf)
    wishes = Wishes(
        url=url,
        client=client,
        profile=profile,
        listen=listen,
        actor=partial(run_command, act) if act else None,
        every_problem=every_problem,
        limits=Limits(step_timeout, settle),
        timing=Timing(retry_after, late),
    )
    found = _judge_or_refuse(wishes)
    _show_rules(found)
    write_report(found, report, with_pdf=pdf)
    raise typer.Exit(EXIT_CODES[found.outcome])


def main() -> None:
    """Run the command; a fault of the kit itself is no failure of the system that it judges."""
    try:
        cli()
    except Exception:  # noqa: BLE001 -- the edge of the program
        traceback.print_exc()
        sys.exit(EXIT_CODES[Outcome.NOT_JUDGED])


if __name__ == "__main__":
    main()
