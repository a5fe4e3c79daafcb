"""Run the whole replay with both endings, and audit the result from outside.

Uses the functions behind `blackthorn audit report` and `blackthorn audit closure`.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blackthorn.audit import closure, ledger, published_report, report
from blackthorn.demo.replay_2015.crowd import Workers
from blackthorn.demo.replay_2015.replay import RECEIPT, Cast, Replay, Timeline
from blackthorn.errors import SecurityError
from blackthorn.governance import directives
from blackthorn.governance.closure.statement import ClosureStatement
from blackthorn.governance.package.build import register_key
from blackthorn.programs.server.closure import register_seed
from blackthorn.report import files, history, period

PERIOD: Final = "2015H2"
WORKERS: Final = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """All counts, for --json; `failures` is empty when all checks passed."""

    counts: dict[str, Any]
    failures: list[str]


def run_replay(out: Path, cast: Cast, timeline: Timeline) -> Outcome:
    """Replay both runs below the empty folder `out`, and audit them."""
    begun = time.perf_counter()
    with Workers(WORKERS) as workers:
        first = Replay(out, cast, workers, timeline)
        first.settle()
        answer = first.demands()
        first.leave()
        first.respond()
        first.extended()
        first.stop()
        closed = first.close()
        opened = first.untouched()
        counts = _counts(first, closed)
        with timeline.work("audits", 2) as advance:
            counts |= _audits(first)
            advance(2)
        second = _second(out / "second-run", cast.smaller, workers, timeline)
        stayed = second.stay()
        second.world.close()
    counts |= {
        "package_files": answer.files,
        "others_opened_after_closure": opened,
        "ms_a_person": round(first.person_ms, 1),
        "second_run": stayed,
        "seconds": round(time.perf_counter() - begun, 1),
        "seed": cast.seed,
        "folder": str(out),
    }
    return Outcome(counts, first.failures + second.failures)


def _second(out: Path, cast: Cast, workers: Workers, timeline: Timeline) -> Replay:
    """The run in which the market stays, up to its end."""
    out.mkdir()
    play = Replay(out, cast, workers, timeline)
    play.settle()
    play.leave()
    play.respond()
    play.extended()
    return play


def _counts(play: Replay, closed: ClosureStatement) -> dict[str, Any]:
    """Counts of the database, compared with the published statement."""
    count = play.world.count
    for name, column in {
        "notified": "notified_ms",
        "read": "read_ms",
        "exported": "exported_ms",
        "moved": "moved_ms",
        "forwarded": "forward",
    }.items():
        found = count(
            f"SELECT count(*) FROM exit_person WHERE exit_id = ? AND {column} IS NOT NULL",  # noqa: S608
            play.exit.id,
        )
        play.check(found == closed.counts[name], f"{found} {name}, and not as is stated")
    return {
        "users": closed.counts["users"],
        "elsewhere": count("SELECT count(*) FROM users") - closed.counts["users"],
        "markets": count("SELECT count(*) FROM market"),
        **{name: number for name, number in closed.counts.items() if name != "users"},
        "exported_mails": play.responses.exported_mails,
        "exported_messages": play.responses.exported_messages,
        "mails_deleted": closed.mails,
        "parcels_deleted": closed.parcels,
        "key_fingerprint": closed.key.hex(),
        "samples": len(closed.samples),
    }


def _audits(play: Replay) -> dict[str, Any]:
    """Audit results from the ledger and the published files alone."""
    world = play.world
    world.settle()
    server, folder = str(world.directory.path), play.out / "report"
    read = report.read_log(server, None, ledger.silent, report.no_head)
    report.write(folder, files.make(read.stand, period.parse_period(PERIOD), read.policy))
    verdict = published_report.check(str(folder), server, None, ledger.silent)
    play.check(verdict.holds, "the report is not what the ledger gives")
    audited = _audit_closure(play, server)
    world.close()
    cases = read.stand.register.cases
    steps = [step for case in cases.by_id.values() for step in case.history]
    return {
        **_answers(read.stand),
        "samples_opened": int(cases.case(play.exit.id).last("close")["opened"]),
        "ledger_entries": read.stand.size,
        "decisions": len(steps),
        "signatures": sum(len(step.officers) for step in steps),
        "audit": {"report": verdict.holds, "closure": audited is not None},
    }


def _audit_closure(play: Replay, server: str) -> closure.ClosureAudit | None:
    """Audit the statement with the register's key and one receipt."""
    file = play.out / f"{play.exit.id}.json"
    key = str(register_key(play.world.keys.origin, register_seed(play.world.keys)))
    try:
        return closure.audit_closure(
            str(file), server, play.out / RECEIPT, key, None, ledger.silent
        )
    except SecurityError as error:
        play.check(False, f"the closure's statement does not verify: {error}")
        return None


def _answers(stand: history.Snapshot) -> dict[str, int]:
    cases = stand.register.cases.directives
    refused = [each for each in cases if each.state == "refused"]
    answered = [each for each in cases if each.state == "delivered"]
    return {
        "demands_refused": len(refused),
        "directives_answered": len(answered),
        "accounts_named": sum(directives.facts(each)["accounts"] for each in cases),
        "accounts_with_data": sum(each.last("produce")["accounts_with_data"] for each in answered),
    }
