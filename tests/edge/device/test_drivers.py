from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

from nacl.public import PrivateKey, SealedBox

from edge.config import AuthorityConfig
from edge.device import drivers
from edge.device.config import CommonSettings, DeviceConfig
from edge.device.drivers import make_driver
from tests.edge.drivers import NoSettings, ScriptedDriver

if TYPE_CHECKING:
    import pytest

    from devices.driver import Seal

TRANSIT, UTILITY = PrivateKey.generate(), PrivateKey.generate()


class SealingDriver(ScriptedDriver):
    """Keeps the seal that it is given."""

    seals_to: ClassVar[str] = "transit"

    def __init__(self, device: str, settings: Any) -> None:
        super().__init__()
        self.made_with = (device, settings)
        self.seals: list[Seal] = []

    def use_seal(self, seal: Seal) -> None:
        self.seals.append(seal)


def authority(role: str, key: PrivateKey) -> AuthorityConfig:
    return AuthorityConfig(f"{role}-1", role, bytes(key.public_key))


def test_a_driver_that_seals_has_the_seal_of_the_authority_of_its_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "load_driver", {"gate": SealingDriver}.get)
    device = DeviceConfig(CommonSettings("gate-1", "gate"), NoSettings())
    authorities = [authority("utility", UTILITY), authority("transit", TRANSIT)]
    driver = make_driver(device, authorities)
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
    driver = make_driver(DeviceConfig(CommonSettings("gate-1", "gate"), NoSettings()), [])
    assert isinstance(driver, Plain)
