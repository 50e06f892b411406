from __future__ import annotations

import base64
import hashlib
import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from nacl.public import PrivateKey

from broker.url import BrokerUrl
from devices.jsonl.driver import Jsonl, JsonlSettings
from edge.cli.samples import GATEWAY_TOML
from edge.config import BatchConfig, HealthConfig, JournalConfig, load_gateway_config, load_gateway_place
from edge.device import config as device_config
from ledger_sync.proof.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "A" * 43 + "="
SEALING_KEY = "CQ" + "A" * 41 + "="  # the base point of X25519
LEAST = f"""
city = "demo"
gateway = "gw-1"
data_dir = "var"

[broker]
url = "mqtt://127.0.0.1:1883"

[[ledger]]
id = "ledger-1"
public_key = "{KEY}"
"""
DEVICE = '[[device]]\nid = "gate-1"\ndriver = "jsonl"\nport = "tcp://127.0.0.1:4001"\n'

# DESIGN 11, with the keys filled in.
SAMPLE = f"""
city = "demo"
gateway = "gw-1"
data_dir = "var"                     # identity, journal, evidence
heartbeat_s = 300

[broker]
url = "mqtt://127.0.0.1:1883"        # mqtts:// takes ca_file, cert_file, key_file

[[ledger]]                           # whose receipts count
id = "ledger-1"
public_key = "{KEY}"

[batch]
count_max = 10000
age_max_s = 60

[journal]
commit_count_max = 512
commit_age_max_ms = 50
size_max_mb = 2048
# export_dir = "export"              # where statements go before their rows may be deleted

[health]
interval_s = 30

[[authority]]                        # who may open what is sealed; X25519
id = "transit-1"
role = "transit"                     # transit, traffic, utility, settlement
public_key = "{SEALING_KEY}"

[[device]]
id = "meter-1"
driver = "dsmr"                      # the driver's own keys follow
port = "/dev/serial/by-id/usb-..."
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.toml"


def problems(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(SettingsError) as raised:
        load_gateway_config(file)
    assert all(line.startswith(f"{file}: ") for line in str(raised.value).splitlines())
    return list(raised.value.problems)


def test_the_least_file_leaves_everything_else_at_its_default(file: Path) -> None:
    file.write_text(LEAST)
    config = load_gateway_config(file)
    assert (config.place.city, config.place.gateway) == ("demo", "gw-1")
    assert config.broker == BrokerUrl("127.0.0.1", 1883)
    assert [(key.id, key.public_key) for key in config.ledgers] == [("ledger-1", bytes(32))]
    assert config.heartbeat_s == 300
    assert config.batch == BatchConfig(count_max=10_000, age_max_s=60.0)
    assert config.journal == JournalConfig(commit_count_max=512, commit_age_max_ms=50.0, size_max_mb=2048)
    assert config.health == HealthConfig(interval_s=30.0)
    assert (config.authorities, config.devices) == ((), ())
    assert config.sha256 == sha256(LEAST.encode()).digest()


def test_the_sample_of_the_design_is_accepted(file: Path) -> None:
    file.write_text(SAMPLE)
    config = load_gateway_config(file)
    assert (config.authorities[0].id, config.authorities[0].role) == ("transit-1", "transit")
    assert (config.devices[0].driver, config.devices[0].settings.port) == ("dsmr", "/dev/serial/by-id/usb-...")


def test_the_sample_that_init_writes_lacks_only_the_ledger(file: Path) -> None:
    (problem,) = problems(file, GATEWAY_TOML)
    assert problem.startswith("ledger: is missing;")
    assert "wayside ledger init" in problem
    commented = GATEWAY_TOML.replace("# [", "[").replace("...", KEY, 1).replace("...", SEALING_KEY, 1)
    for key in ("id", "role", "public_key", "driver", "port", "heartbeat_s", "count_max", "age_max_s", "interval_s"):
        commented = commented.replace(f"# {key} =", f"{key} =")
    for key in ("commit_count_max", "commit_age_max_ms", "size_max_mb"):
        commented = commented.replace(f"# {key} =", f"{key} =")
    file.write_text(commented)
    assert load_gateway_config(file).devices[0].id == "meter-1"


def test_every_key_is_taken(file: Path) -> None:
    file.write_text(
        "heartbeat_s = 0.5\n"
        + LEAST
        + "[batch]\ncount_max = 3\nage_max_s = 0.5\n"
        + "[journal]\ncommit_count_max = 7\ncommit_age_max_ms = 2.5\nsize_max_mb = 64\n"
        + "[health]\ninterval_s = 1.5\n"
        + DEVICE
    )
    config = load_gateway_config(file)
    assert config.heartbeat_s == 0.5
    assert config.batch == BatchConfig(count_max=3, age_max_s=0.5)
    assert config.journal == JournalConfig(commit_count_max=7, commit_age_max_ms=2.5, size_max_mb=64)
    assert config.health.interval_s == 1.5
    assert config.devices[0].settings == JsonlSettings("tcp://127.0.0.1:4001")


def test_relative_paths_begin_at_the_files_own_folder(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(LEAST + '[[device]]\nid = "gate-1"\ndriver = "jsonl"\nport = "ports/gate"\n')
    monkeypatch.chdir("/")
    config = load_gateway_config(file)
    assert config.place.data_dir == tmp_path / "var"
    assert config.place.key_path == tmp_path / "var" / "identity" / "event.key"
    assert config.devices[0].settings.port == str(tmp_path / "ports" / "gate")
    assert load_gateway_place(file) == config.place


def test_init_needs_only_city_gateway_and_data_dir(file: Path) -> None:
    file.write_text('city = "demo"\ngateway = "gw-1"\ndata_dir = "var"\nbroker = 7\nwhat = true\n')
    assert load_gateway_place(file).gateway == "gw-1"
    file.write_text('city = "DEMO"\n')
    with pytest.raises(SettingsError) as raised:
        load_gateway_place(file)
    assert [problem.split(":")[0] for problem in raised.value.problems] == ["city", "gateway", "data_dir"]


REPLACED = [
    ('city = "demo"', "", "city: is missing; the city's name"),
    ('city = "demo"', "city = 7", "city: must be text, not an integer"),
    ('city = "demo"', 'city = "De mo"', "city: is 'De mo'; a lower-case domain name or label of at most 32"),
    ('city = "demo"', f'city = "{"d" * 33}"', "city: is 'ddd"),
    ('gateway = "gw-1"', 'gateway = "GW_1"', "gateway: is 'GW_1'; 1 to 32 of the characters a-z, 0-9 and hyphen"),
    ('gateway = "gw-1"', 'gateway = ["gw-1"]', "gateway: must be text, not an array"),
    ('data_dir = "var"', 'data_dir = ""', "data_dir: must be a folder's path"),
    ('data_dir = "var"', "data_dir = false", "data_dir: must be a folder's path"),
    ("[broker]", "[brokers]", "brokers: unknown key; did you mean broker?"),
    ("url =", "uri =", "broker.uri: unknown key; did you mean url?"),
    ('"mqtt://127.0.0.1:1883"', "1883", "broker.url: must be text, such as mqtt://127.0.0.1:1883"),
    ('"mqtt://127.0.0.1:1883"', '"127.0.0.1"', "broker.url: is not a broker's URL; write it as mqtt://host:port"),
    ("mqtt://", "mqtts://", "broker.url: TLS is not supported yet; use mqtt://host:port"),
    ('[broker]\nurl = "mqtt://127.0.0.1:1883"', "", "broker: is missing; a [broker] table with url"),
    ('[broker]\nurl = "mqtt://127.0.0.1:1883"', "[[broker]]", "broker: must be a table, not an array"),
    ("[[ledger]]", "[ledger]", "ledger: must be an array of tables ([[…]]), not a table"),
    ('id = "ledger-1"', "", "ledger[0].id: is missing; the ledger's id"),
    ('id = "ledger-1"', 'id = "gw-1"', "ledger[0].id: is 'gw-1', the gateway's own; each needs an id of its own"),
    (KEY, "AAAA", "ledger[0].public_key: is 3 bytes; must be 44 characters of padded base64 (32 bytes)"),
    (KEY, "no key", "ledger[0].public_key: must be 44 characters of padded base64"),
]


@pytest.mark.parametrize(("found", "replacement", "sentence"), REPLACED)
def test_a_mistake_is_told_with_its_place_and_its_mend(file: Path, found: str, replacement: str, sentence: str) -> None:
    assert found in LEAST
    assert any(problem.startswith(sentence) for problem in problems(file, LEAST.replace(found, replacement)))


APPENDED = [
    (DEVICE + "record_every_s = 0.05", "device[0].record_every_s: is 0.05; must be 0 (every reading), or at least 0.1"),
    ("[batch]\ncount_max = 0", "batch.count_max: is 0; must be from 1 to 100000"),
    ("[batch]\ncount_max = 100001", "batch.count_max: is 100001; must be from 1 to 100000"),
    ("[batch]\ncount_max = 1.5", "batch.count_max: must be an integer, not a number"),
    ("[batch]\nage_max_s = 0", "batch.age_max_s: is 0; must be from 0.01 to"),
    ("[batch]\nage_max_s = nan", "batch.age_max_s: must be a finite number"),
    ("[batch]\nage_max_s = true", "batch.age_max_s: must be a number, not true or false"),
    ('[batch]\nage_max_s = "60"', "batch.age_max_s: must be a number, not text"),
    ("[batch]\nage_max_ms = 60", "batch.age_max_ms: unknown key; did you mean age_max_s?"),
    ("[journal]\ncommit_count_max = 10001", "journal.commit_count_max: is 10001; must be from 1 to 10000"),
    ("[journal]\ncommit_age_max_ms = -1", "journal.commit_age_max_ms: is -1; must be from 0 to 10000"),
    ("[journal]\nsize_max_mb = 0", "journal.size_max_mb: is 0; must be from 1 to"),
    ("[journal]\nsize_max_mb = 1e3", "journal.size_max_mb: must be an integer, not a number"),
    (f"[journal]\nsize_max_mb = {1 << 63}", "journal.size_max_mb: must be a number of 64 bits"),
    ('[journal]\nexport_dir = "export"', "journal.export_dir: unknown key; known keys: commit_age_max_ms"),
    ("[health]\ninterval_s = 0", "health.interval_s: is 0; must be from 0.1 to 3600"),
    ("[health]\ninterval_s = 3601", "health.interval_s: is 3601; must be from 0.1 to 3600"),
    ("[authority]", "authority: must be an array of tables ([[…]]), not a table"),
    ('[[authority]]\nid = "t-1"\nrole = "tax"', "authority[0].role: is 'tax'; one of: transit, traffic, utility"),
    (f'[[authority]]\npublic_key = "{KEY}"', "authority[0].public_key: is no X25519 public key; `wayside"),
    ("[device]", "device: must be an array of tables: [[device]]"),
    ('[[device]]\ndriver = "jsonl"', "device[0].id: is missing; the device's id"),
    ('[[device]]\nid = "Gate 1"\ndriver = "jsonl"', "device[0].id: is 'Gate 1'; 1 to 32"),
    ('[[device]]\nid = "gate-1"', "device[0].driver: is missing; the name of its driver"),
    ('[[device]]\nid = "gate-1"\ndriver = "jsnol"', "device[0].driver: there is no driver 'jsnol'; did you mean"),
    ('[[device]]\nid = "gate-1"\ndriver = "jsonl"', "device[0].port: is missing; a serial port, or tcp://host:port"),
    (DEVICE + 'colour = "red"', "device[0].colour: unknown key"),
    (
        DEVICE + "[device.passport]\nlatitude_udeg = 95000000\nplace = 5",
        "device[0].passport: latitude_udeg: must be an integer from -90000000 to 90000000; place: must be text",
    ),
    (DEVICE.replace(":4001", ""), "device[0].port: is 'tcp://127.0.0.1'; must look like tcp://192.0.2.7:4001"),
    (DEVICE.replace("gate-1", "gw-1"), "device[0].id: is 'gw-1', the gateway's id too; give it one of its own"),
    (DEVICE + DEVICE.replace("4001", "4002"), "device[1].id: is 'gate-1', another device's id too"),
    (DEVICE + DEVICE.replace("gate-1", "gate-2"), "device[1].port: is 'tcp://127.0.0.1:4001', another device's"),
]  # fmt: skip


@pytest.mark.parametrize(("appended", "sentence"), APPENDED)
def test_a_mistake_in_what_may_be_left_out_is_told_too(file: Path, appended: str, sentence: str) -> None:
    assert [problem for problem in problems(file, LEAST + appended) if problem.startswith(sentence)]


def sealing_key(name: str) -> str:
    return base64.b64encode(bytes(PrivateKey(hashlib.sha256(name.encode()).digest()).public_key)).decode()


def test_one_key_for_two_authorities_is_refused_as_what_needs_both_would_open_with_one(file: Path) -> None:
    tables = [
        f'[[authority]]\nid = "{one}-1"\nrole = "{one}"\npublic_key = "{SEALING_KEY}"'
        for one in ("traffic", "oversight")
    ]
    (problem,) = problems(file, "\n".join((LEAST, *tables)))
    assert problem == "authority[1].public_key: is the key of 'traffic-1' too; each authority has one of its own"


def test_a_second_authority_of_a_role_is_refused_as_nothing_would_be_sealed_to_it(file: Path) -> None:
    roles = {"t-1": "transit", "u-1": "utility", "t-2": "transit"}
    tables = [f'[[authority]]\nid = "{one}"\nrole = "{roles[one]}"\npublic_key = "{sealing_key(one)}"' for one in roles]
    (problem,) = problems(file, "\n".join((LEAST, *tables)))
    assert problem.startswith("authority[2].role: is 'transit', another authority's role too; one opens")


def test_a_reader_of_cards_needs_an_authority_that_may_open_them(file: Path) -> None:
    reader = '[[device]]\nid = "gate-1"\ndriver = "pn532"\nport = "gate"\ndirection = "in"\n'
    (problem,) = problems(file, LEAST + reader)
    assert problem.startswith("device[0]: 'pn532' reads what only an authority may open: name an [[authority]] with")
    assert 'role = "transit"' in problem
    (problem,) = problems(
        file, f'{LEAST}{reader}[[authority]]\nid = "u"\nrole = "utility"\npublic_key = "{SEALING_KEY}"'
    )
    assert 'role = "transit"' in problem


class Camera(Jsonl):
    """A driver that keeps evidence for two roles, and follows the device that its port names."""

    @staticmethod
    def evidence_roles(settings: Any) -> tuple[str, ...]:
        return ("traffic", "settlement") if settings.port else ()

    def use_evidence(self, folder: Path, keys: Any) -> None:
        """Not reached: a configuration makes no driver."""

    @staticmethod
    def follows(settings: Any) -> str | None:
        followed: str = settings.port.rpartition("/")[2]
        return None if followed == "nobody" else followed

    def follow(self, event: Any) -> None:
        """Not reached either."""


@pytest.fixture
def _with_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_config, "load_driver", {"camera": Camera, "jsonl": Jsonl}.__getitem__)


def authorities(*roles: str) -> str:
    return "".join(
        f'[[authority]]\nid = "{one}-1"\nrole = "{one}"\npublic_key = "{sealing_key(one)}"\n' for one in roles
    )


CAMERA = '[[device]]\nid = "camera-1"\ndriver = "camera"\nport = "{}"\n'


@pytest.mark.usefixtures("_with_cameras")
def test_a_device_that_keeps_evidence_needs_an_authority_for_each_role_that_it_seals_to(file: Path) -> None:
    (problem,) = problems(file, LEAST + authorities("traffic") + CAMERA.format("nobody"))
    assert problem.startswith("device[0]: 'camera' reads what only an authority may open: name an [[authority]] with")
    assert 'role = "settlement"' in problem
    file.write_text(LEAST + authorities("traffic", "settlement") + CAMERA.format("nobody"))
    assert load_gateway_config(file).place.evidence_dir == file.parent / "var" / "evidence"


@pytest.mark.usefixtures("_with_cameras")
@pytest.mark.parametrize("followed", ["gate-2", "camera-1", "gw-1"])
def test_who_follows_a_device_names_another_one_that_there_is(file: Path, followed: str) -> None:
    least = LEAST + authorities("traffic", "settlement") + DEVICE
    (problem,) = problems(file, least + CAMERA.format(followed))
    assert problem == f"device[1]: follows {followed!r}, the id of no other [[device]]; name one that is"
    file.write_text(least + CAMERA.format("gate-1"))
    assert len(load_gateway_config(file).devices) == 2


def test_a_port_has_several_devices_of_one_driver_at_addresses_of_their_own(file: Path) -> None:
    lines = [
        f'[[device]]\nid = "in-{n}"\ndriver = "digital-input"\nport = "chip"\nline = {n}\ncontact = "c"\n'
        for n in (1, 2)
    ]
    file.write_text(LEAST + "".join(lines))
    assert [device.id for device in load_gateway_config(file).devices] == ["in-1", "in-2"]
    (problem,) = problems(file, LEAST + lines[0] + lines[0].replace("in-1", "in-2"))
    assert problem.startswith("device[1]: is at line 1 of ")
    other = DEVICE.replace("tcp://127.0.0.1:4001", "chip")
    (problem,) = problems(file, LEAST + lines[0] + other)
    assert problem.startswith("device[1].port: is ")


def test_one_port_under_two_spellings_is_one_port(file: Path) -> None:
    devices = DEVICE.replace("tcp://127.0.0.1:4001", "gate")
    other = devices.replace("gate-1", "gate-2").replace('"gate"', '"./gate"')
    (problem,) = problems(file, LEAST + devices + other)
    assert problem.startswith("device[1].port: is ")


@pytest.mark.parametrize("value", ["0", "0.09", "86401", "inf", '"5 min"'])
def test_a_heartbeat_out_of_range_is_refused(file: Path, value: str) -> None:
    (problem,) = problems(file, f"heartbeat_s = {value}\n" + LEAST)
    assert problem.startswith("heartbeat_s: ")


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    text = LEAST.replace("demo", "De Mo").replace("mqtt:", "http:").replace(KEY, "") + (
        "[batch]\ncount_max = 0\nwhat = 1\n"
        + DEVICE
        + DEVICE.replace("jsonl", "no-such")
        + DEVICE.replace("gate-1", "gw-1")
    )
    places = {problem.split(": ")[0] for problem in problems(file, text)}
    assert places == {
        "city",
        "broker.url",
        "ledger[0].public_key",
        "batch.count_max",
        "batch.what",
        "device[1].driver",
        "device[1].id",
        "device[2].id",
        "device[2].port",
    }


def test_a_file_that_is_no_toml_is_told(file: Path, tmp_path: Path) -> None:
    assert problems(file, "city = demo")[0].startswith("is not valid TOML: ")
    file.write_bytes(b'city = "K\xf6ln"')
    with pytest.raises(SettingsError, match=r"is not UTF-8 text \(byte 9\)"):
        load_gateway_config(file)
    file.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(SettingsError, match="is larger than 1048576 bytes"):
        load_gateway_config(file)
    with pytest.raises(SettingsError, match="is a directory; name a TOML file"):
        load_gateway_config(tmp_path)
    with pytest.raises(SettingsError, match=r"cannot be read \(No such file or directory\)"):
        load_gateway_config(tmp_path / "none.toml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_told(file: Path) -> None:
    file.write_text(LEAST)
    file.chmod(0)
    with pytest.raises(SettingsError, match="Permission denied"):
        load_gateway_config(file)


def test_an_empty_file_lacks_every_required_key_and_no_other(file: Path) -> None:
    places = [problem.split(": ")[0] for problem in problems(file, "")]
    assert places == ["city", "gateway", "data_dir", "broker", "ledger"]


def test_no_ledger_at_all_is_a_mistake(file: Path) -> None:
    text = "ledger = []\n" + LEAST.split("[[ledger]]", maxsplit=1)[0]
    assert problems(file, text) == ["ledger: is empty; name at least one [[ledger]] with id and public_key"]
