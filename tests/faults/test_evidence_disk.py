"""A full disk, on either side: no event without its evidence, nothing half-written, and all goes on afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.test_disk import FullDisk
from tests.support.brokers import start_mosquitto
from tests.support.city_files import CityFiles
from tests.support.evidence_city import CAMERA, make_evidence_city
from tests.support.evidence_invariants import check_evidence
from tests.support.processes import Process, start_module
from tests.support.running_city import onlooker
from tests.support.waiting import until

VIOLATIONS = 40


@pytest.mark.slow
async def test_a_camera_whose_disk_is_full_makes_no_event_and_leaves_nothing_torn(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path) as broker:
        files = make_evidence_city(tmp_path, broker.port, violations=VIOLATIONS, interval_s=0.1, delete_after_s=0)
        disk = FullDisk(files.city)
        inside = Path()
        async with onlooker(broker.url) as seen:
            authority = await start_module("tests.faults.authority_process", files.authority_config, name="authority")
            gateway = await start_module(
                "tests.faults.evidence_gateway_process", files.city.gateway_config, name="gateway", before=disk.before
            )
            inside = Path(f"/proc/{gateway.pid}/root{disk.data_dir}")
            camera = inside / "evidence" / CAMERA
            try:
                await until(lambda: len(files.kept_ids()) >= 2, "the first came through")
                await until(
                    lambda: _fill(disk, gateway) and _camera(seen.health).get("errors", 0) >= 5, "the disk was full"
                )
                assert gateway.code is None, gateway.log_tail()
                await until(lambda: not list(camera.glob(".new*")), "nothing torn was left")
                disk.give_way(gateway.pid)
                await until(lambda: files.seen_count() == VIOLATIONS, "all had been seen")
                await until(
                    lambda: seen.health["evidence"]["unrecorded"] == 0 and not _pieces(camera), "all was away", 60
                )
                disk.copy_out(gateway.pid)
            finally:
                await gateway.kill()
                await authority.kill()
        assert 2 <= check_evidence(files) <= VIOLATIONS - 5


@pytest.mark.slow
async def test_an_authority_whose_disk_is_full_acknowledges_nothing_and_the_gateway_keeps_its_copies(
    tmp_path: Path,
) -> None:
    with start_mosquitto(tmp_path) as broker:
        files = make_evidence_city(tmp_path, broker.port, violations=12, interval_s=0.2, delete_after_s=0)
        disk = FullDisk(CityFiles(files.office_dir))
        async with onlooker(broker.url) as seen:
            authority = await start_module(
                "tests.faults.authority_process", files.authority_config, name="authority", before=disk.before
            )
            inside = Path(f"/proc/{authority.pid}/root{disk.data_dir}")
            gateway = await start_module(
                "tests.faults.evidence_gateway_process", files.city.gateway_config, name="gateway"
            )
            try:
                await until(lambda: _kept(inside) >= 2, "the first came through")
                await until(lambda: _fill(disk, authority) and _refusals(seen.health) >= 3, "it was refused")
                disk.refuse(authority.pid)
                kept = _kept(inside)
                refusals = _refusals(seen.health)
                await until(lambda: len(files.events()) == 12 and _refusals(seen.health) > refusals, "all were made")
                assert _kept(inside) == kept
                assert len(files.local_ids()) == 12 - kept
                assert authority.code is None, authority.log_tail()
                disk.give_way(authority.pid)
                await until(lambda: not files.local_ids(), "all was at the authority")
                disk.copy_out(authority.pid)
            finally:
                await gateway.kill()
                await authority.kill()
        assert check_evidence(files) == 12


def _fill(disk: FullDisk, process: Process) -> bool:
    """Again and again, as what is removed gives back room."""
    disk.refuse(process.pid)
    return True


def _camera(health: dict[str, object]) -> dict[str, int]:
    devices = health.get("devices", [])
    assert isinstance(devices, list)
    found: dict[str, int] = next((one for one in devices if one["id"] == CAMERA), {})
    return found


def _refusals(health: dict[str, object]) -> int:
    evidence = health.get("evidence", {})
    assert isinstance(evidence, dict)
    count: int = evidence.get("authority_refusals", 0)
    return count


def _pieces(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir() if one.name[0] != "."]


def _kept(inside: Path) -> int:
    shelf = inside / "evidence" / "gw-1"
    return len(list(shelf.iterdir())) if shelf.exists() else 0
