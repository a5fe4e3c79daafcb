"""The canary audit on real processes: nothing is found, and a leak would be."""

import base64
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackthorn.audit.plaintext.verdict import KINDS, Audit
from blackthorn.demo.deployment import Deployment
from blackthorn.demo.markers import Planting
from blackthorn.demo.outward import outward_settings


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planting]:
    """A server with every marker planted in it, searched while messages wait."""
    with (
        outward_settings() as settings,
        Deployment(tmp_path_factory.mktemp("canary"), settings=settings) as deployment,
    ):
        planting = Planting(deployment)
        deployment.initialise()
        deployment.start_server()
        planting.enrol()
        planting.write()
        planting.mail()
        planting.send_mail()
        planting.send_out()
        planting.search()
        yield planting


def searched_again(planting: Planting) -> Audit:
    deployment = planting.deployment
    audit = Audit([deployment.directory, deployment.temporary, deployment.logs])
    audit.search(deployment.pid, list(planting.markers.values()))
    return audit


def marker(planting: Planting, kind: str) -> str:
    return next(each.spellings[0] for each in planting.markers.values() if each.kind == kind)


def test_no_secret_is_found_on_the_server(planted: Planting) -> None:
    report = planted.report()
    broken = [verdict for verdict in report.verdicts if verdict.broken]
    assert not broken
    assert report.clean and report.planted >= 15
    assert {verdict.kind for verdict in report.verdicts} == set(KINDS)


def test_every_kind_of_marker_arrives_at_its_recipient(planted: Planting) -> None:
    planted.read()


@pytest.mark.parametrize("place", ["directory", "temporary", "logs"])
def test_a_leak_to_the_disk_is_found(planted: Planting, place: str) -> None:
    folder: Path = getattr(planted.deployment, place)
    leak = folder / "core"
    leak.write_bytes(b"\0" * 5000 + base64.b64encode(marker(planted, "message").encode()))
    try:
        report = searched_again(planted).report()
    finally:
        leak.unlink()
    assert report.found == 1 and not report.clean


def test_a_leak_to_the_memory_is_found(planted: Planting) -> None:
    with smtplib.SMTP("127.0.0.1", planted.deployment.smtp_port) as smtp:
        smtp.ehlo(marker(planted, "group name") + ".example")
        report = searched_again(planted).report()
    verdict = next(each for each in report.verdicts if each.kind == "group name")
    assert verdict.memory and not verdict.disk
    assert report.found == 1 and not report.clean
