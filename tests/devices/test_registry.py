from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from devices.registry import UnknownDriverError, UnusableDriverError, driver_names, load_driver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OURS = {"dsmr": "devices.meter.dsmr:Dsmr", "jsonl": "devices.jsonl.driver:Jsonl", "sml": "devices.meter.sml:Sml"}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, str]], None]:
    """Makes a distribution with the given entry points visible, as pip would."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(distribution: str, drivers: dict[str, str]) -> None:
        folder = tmp_path / f"{distribution}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        rows = "".join(f"{name} = {value}\n" for name, value in drivers.items())
        (folder / "entry_points.txt").write_text(f"[wayside.drivers]\n{rows}")

    return install


def test_our_own_drivers_are_found_the_same_way_as_a_third_partys() -> None:
    assert set(OURS) <= set(driver_names())
    for name, value in OURS.items():
        found = load_driver(name)
        assert f"{found.__module__}:{found.__qualname__}" == value


def test_a_third_partys_driver_is_found_by_its_entry_point(install: Callable[[str, dict[str, str]], None]) -> None:
    install("acme-wayside", {"acme-meter": "devices.meter.dsmr:Dsmr"})
    assert "acme-meter" in driver_names()
    assert load_driver("acme-meter").__name__ == "Dsmr"


def test_an_unknown_name_is_answered_with_the_closest_and_all() -> None:
    with pytest.raises(UnknownDriverError, match=r"no driver 'dsrm'; did you mean 'dsmr'\? known are .*sml") as raised:
        load_driver("dsrm")
    assert raised.value.name == "dsrm"


def test_without_any_entry_point_the_mend_is_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(UnknownDriverError, match="pip install wayside"):
        load_driver("dsmr")


def test_a_name_claimed_by_two_distributions_is_refused_and_names_both(
    install: Callable[[str, dict[str, str]], None],
) -> None:
    install("honest", {"twin": "devices.meter.dsmr:Dsmr"})
    install("shadow", {"twin": "devices.meter.sml:Sml"})
    with pytest.raises(UnusableDriverError, match=r"honest 1\.0.*shadow 1\.0.*uninstall all but one"):
        load_driver("twin")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("no_such_module_anywhere:Driver", "ModuleNotFoundError"),
        ("devices.meter.dsmr:Missing", "AttributeError"),
        ("broken_at_import:Driver", "ZeroDivisionError"),
        ("json:JSONDecoder", "is no driver.*lacks Settings, wire_role, open"),
        ("devices.driver:Driver", "is no driver"),
        ("sys:path", "is no driver"),
    ],
)
def test_an_entry_point_that_gives_no_driver_is_refused_by_name_and_distribution(
    install: Callable[[str, dict[str, str]], None], tmp_path: Path, value: str, why: str
) -> None:
    (tmp_path / "broken_at_import.py").write_text("1 / 0\n")
    install("acme-wayside", {"acme-meter": value})
    with pytest.raises(UnusableDriverError, match=rf"'acme-meter' of acme-wayside 1\.0.*{why}"):
        load_driver("acme-meter")
