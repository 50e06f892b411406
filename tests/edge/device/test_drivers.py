from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from nacl.public import PrivateKey, SealedBox

from edge.config import AuthorityConfig
from edge.device import drivers
from edge.device.config import CommonSettings, DeviceConfig
from edge.device.drivers import make_driver
from tests.edge.drivers import NoSettings, ScriptedDriver

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devices.driver import Seal

TRANSIT, UTILITY = PrivateKey.generate(), PrivateKey.generate()
EVIDENCE = Path("evidence")


class SealingDriver(ScriptedDriver):
    """Keeps the seal that it is given."""

    seals_to: ClassVar[str] = "transit"

    def __init__(self, device: str, settings: Any) -> None:
        super().__init__()
        self.made_with = (device, settings)
        self.seals: list[Seal] = []

    def use_seal(self, seal: Seal) -> None:
        self.seals.append(seal)


class WitnessDriver(ScriptedDriver):
    """Keeps evidence, and wants to know its passport."""

    def __init__(self, device: str, settings: Any) -> None:
        super().__init__()
        self.made_with = (device, settings)
        self.evidence: list[tuple[Path, Mapping[str, bytes]]] = []
        self.passports: list[Mapping[str, Any]] = []

    @staticmethod
    def evidence_roles(settings: Any) -> tuple[str, ...]:
        return ("transit", "utility") if settings == NoSettings() else ()

    def use_evidence(self, folder: Path, keys: Mapping[str, bytes]) -> None:
        self.evidence.append((folder, keys))

    def use_passport(self, passport: Mapping[str, Any]) -> None:
        self.passports.append(passport)


def authority(role: str, key: PrivateKey) -> AuthorityConfig:
    return AuthorityConfig(f"{role}-1", role, bytes(key.public_key))


def test_a_driver_that_seals_has_the_seal_of_the_authority_of_its_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "load_driver", {"gate": SealingDriver}.get)
    device = DeviceConfig(CommonSettings("gate-1", "gate"), NoSettings())
    authorities = [authority("utility", UTILITY), authority("transit", TRANSIT)]
    driver = make_driver(device, authorities, EVIDENCE)
    assert isinstance(driver, SealingDriver)
    assert driver.made_with == ("gate-1", NoSettings())
    assert driver.opened == 0
    (seal,) = driver.seals
    assert SealedBox(TRANSIT).decrypt(base64.b64decode(seal(b"card"))) == b"card"


def test_a_driver_that_does_not_seal_needs_no_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(ScriptedDriver):
        def __init__(self, device: str, settings: Any) -> None:
            super().__init__()
            self.made_with = (device, settings)

    monkeypatch.setattr(drivers, "load_driver", {"gate": Plain}.get)
    driver = make_driver(DeviceConfig(CommonSettings("gate-1", "gate"), NoSettings()), [], EVIDENCE)
    assert isinstance(driver, Plain)


@pytest.mark.parametrize("passport", [{"approval": "PTB-1.12"}, None])
def test_a_driver_that_keeps_evidence_has_a_folder_of_its_own_the_keys_it_asked_for_and_its_passport(
    passport: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers, "load_driver", {"camera": WitnessDriver}.get)
    device = DeviceConfig(CommonSettings("camera-1", "camera", passport=passport), NoSettings())
    authorities = [authority(one, key) for one, key in {"utility": UTILITY, "transit": TRANSIT}.items()]
    authorities.append(authority("traffic", PrivateKey.generate()))
    driver = make_driver(device, authorities, EVIDENCE)
    assert isinstance(driver, WitnessDriver)
    keys = {"transit": bytes(TRANSIT.public_key), "utility": bytes(UTILITY.public_key)}
    assert driver.evidence == [(EVIDENCE / "camera-1", keys)]
    assert driver.passports == [passport or {}]
