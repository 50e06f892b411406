from __future__ import annotations

import json
import signal
import subprocess
from importlib.metadata import EntryPoint, EntryPoints
from typing import TYPE_CHECKING, Any

from devices import registry
from devices.driver import DeviceError
from devices.sim.pty import PseudoTerminal
from edge.cli import main
from tests.e2e.black_box import WAYSIDE, wayside
from tests.edge.drivers import ScriptedDriver
from tests.edge.journals import open_journal, passport
from tests.edge.recording import recording, tap
from tests.support.city_files import make_city
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from edge.recorder import Recorder

LINE = b'{"id": "1", "type": "fare.tap", "data": {"direction": "in", "token": "a"}}\n'


def listed(directory: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(["device", "list", "--config", str(directory / "gateway.toml"), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


async def tell_health(recorder: Recorder, device: str, state: str, **more: Any) -> None:
    data = {"state": state, "errors": 0, "resyncs": 0, "bytes_dropped": 0, **more}
    await recorder.record_about(device, "device.health", data)


def test_what_is_configured_is_listed_without_a_journal_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    city = make_city(tmp_path, 1883, devices={"meter-1": "dsmr", "gate-1": "jsonl"})
    keys = 'record_every_s = 60\ndeadband = { "16.7.0" = "50" }\nrole = "tamper"\n'
    city.gateway_config.write_text(city.gateway_config.read_text().replace("record_every_s = 0\n", keys, 1))
    meter, gate = listed(tmp_path, capsys)["devices"]
    assert meter == {
        "id": "meter-1",
        "driver": "dsmr",
        "wire_role": "listen only",
        "port": str(tmp_path / "meter-1"),
        "recorded": {
            "registers": ["1.8.x", "2.8.x", "16.7.0", "24.2.x"],
            "record_every_s": 60.0,
            "record_on_change": True,
            "deadband": {"16.7.0": "50"},
            "role": "tamper",
        },
        "state": None,
        "state_since": None,
        "reason": None,
        "last_reading": None,
    }
    assert (gate["driver"], gate["wire_role"], gate["recorded"]["record_every_s"]) == ("jsonl", "sole master", 0)
    assert not (tmp_path / "var" / "journal").exists()


async def test_state_and_last_reading_are_the_journals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.journal.newest.PAGE_ROWS", 2)
    make_city(tmp_path, 1883, devices={"gate-1": "jsonl", "gate-2": "jsonl", "gate-3": "jsonl"})
    async with recording(tmp_path / "var") as recorder:
        await recorder.record("gate-2", tap(token="only"))
        await tell_health(recorder, "gate-1", "online")
        await recorder.record("gate-1", tap(token="first"))
        await tell_health(recorder, "gate-2", "offline", reason="port x: hung up")
        await recorder.record("gate-1", tap(token="last"))
        await until(lambda: recorder.recorded_count == 5)
        first, second, third = listed(tmp_path, capsys)["devices"]  # while the journal is being written
    assert (first["state"], first["reason"]) == ("online", None)
    assert first["last_reading"]["type"] == "fare.tap"
    assert first["last_reading"]["data"]["token"] == "last"
    assert (second["state"], second["reason"]) == ("offline", "port x: hung up")
    assert second["state_since"] >= second["last_reading"]["time"]
    assert (third["state"], third["last_reading"]) == (None, None)


def test_a_passport_is_no_reading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_city(tmp_path, 1883)
    with open_journal(tmp_path / "var") as journal:
        journal.commit([passport("validator-1", {"place": "Harbour Road"})])
    assert listed(tmp_path, capsys)["devices"][0]["last_reading"] is None


def test_each_driver_is_listed_and_one_that_cannot_be_loaded_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [
        EntryPoint("jsonl", "devices.jsonl.driver:Jsonl", registry.GROUP),
        EntryPoint("broken", "no_such_module:Broken", registry.GROUP),
    ]

    def entry_points(**chosen: Any) -> EntryPoints:
        return EntryPoints(points).select(**chosen)

    monkeypatch.setattr(registry, "entry_points", entry_points)
    make_city(tmp_path, 1883, devices={})
    broken, sound = listed(tmp_path, capsys)["drivers"]
    assert (broken["name"], broken["wire_role"], broken["summary"]) == ("broken", None, None)
    assert "No module named 'no_such_module'" in broken["problem"]
    assert (sound["name"], sound["wire_role"], sound["problem"]) == ("jsonl", "sole master", None)
    assert sound["summary"].startswith("Devices that speak one JSON object a line")
    assert sound["distribution"].startswith("wayside ")


def test_people_read_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_city(tmp_path, 1883, devices={"meter-1": "dsmr"})
    assert main(["device", "list", "--config", str(tmp_path / "gateway.toml")]) == 0
    text = capsys.readouterr().out
    assert f"meter-1        dsmr at {tmp_path}/meter-1 (listen only); never seen by this journal" in text
    assert "records every reading; registers 1.8.x, 2.8.x, 16.7.0, 24.2.x" in text
    assert "  jsonl          sole master; Devices that speak one JSON object a line" in text


def test_a_configuration_that_cannot_be_used_exits_2(tmp_path: Path) -> None:
    assert main(["device", "list", "--config", str(tmp_path / "none.toml")]) == 2


def test_a_device_is_tried_and_its_readings_are_shown(tmp_path: Path) -> None:
    command = [str(WAYSIDE), "device", "try", "jsonl", "--port", str(tmp_path / "gate"), "baudrate=9600"]
    with PseudoTerminal(tmp_path / "gate") as terminal:
        trial = subprocess.Popen([*command, "--count", "2", "--json"], stdout=subprocess.PIPE)
        assert trial.stdout is not None
        while trial.poll() is None:
            terminal.write(LINE)
            answered = terminal.read(0.02)
            assert b"ack" not in answered
        rows = [json.loads(line) for line in trial.stdout.read().splitlines()]
        trial.stdout.close()
    assert trial.returncode == 0
    assert rows == [{"type": "fare.tap", "data": {"direction": "in", "token": "a"}, "origin": 0, "id": "1"}] * 2
    assert {one.name for one in tmp_path.iterdir()} <= {"gate"}, "nothing is recorded"


def test_what_else_the_driver_has_counted_is_told_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = ScriptedDriver([DeviceError("gone")])
    driver.counters.figures = {"measured": 4, "refused": {"cut": 1}}
    monkeypatch.setattr("edge.device.trial.trial_driver", lambda *_: driver)
    assert main(["device", "try", "scripted"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == '{"measured": 4, "refused": {"cut": 1}}'


def test_nothing_but_errors_exits_1_and_they_are_told_on_the_terminal(tmp_path: Path) -> None:
    with PseudoTerminal(tmp_path / "gate") as terminal:
        command = [str(WAYSIDE), "device", "try", "jsonl", "--port", str(tmp_path / "gate"), "--seconds", "0.5"]
        trial = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert trial.stderr is not None
        while trial.poll() is None:
            terminal.write(b'{"id": "1"}\n')
            terminal.read(0.02)
        told = trial.stderr.read()
        trial.stderr.close()
    assert trial.returncode == 1
    assert "the keys must be exactly id, type, data" in told
    assert "the time was over" in told


def test_control_c_ends_a_trial_with_0(tmp_path: Path) -> None:
    with PseudoTerminal(tmp_path / "gate") as terminal:
        command = [str(WAYSIDE), "device", "try", "jsonl", "--port", str(tmp_path / "gate")]
        trial = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert trial.stdout is not None
        assert trial.stderr is not None
        while not terminal.read(0.02):
            terminal.write(b"?\n")  # refused at once: so it is open
        trial.send_signal(signal.SIGINT)
        assert trial.wait(10) == 0
        trial.stdout.close()
        trial.stderr.close()


def test_a_device_that_is_not_there_exits_1_and_a_mistake_exits_2(tmp_path: Path) -> None:
    assert "does not exist" in wayside("device", "try", "dsmr", "--port", tmp_path / "none", code=2).stderr
    assert "device.parity: is 'X'" in wayside("device", "try", "dsmr", "--port", "x", "parity=X", code=2).stderr
    assert "no driver 'dsrm'; did you mean 'dsmr'" in wayside("device", "try", "dsrm", code=2).stderr
    for wrong in (("--count", "0"), ("--seconds", "nan"), ("--seconds", "-1"), ("--what",)):
        wayside("device", "try", "dsmr", *wrong, code=2)
