from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from devices.sim.device import Placement, Truth
from devices.sim.kinds import KINDS, simulated
from edge.harness.errors import HarnessError
from edge.harness.scenario import load_scenario, shipped
from edge.harness.toml_text import toml_table
from ledger_sync.proof.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
name = "corner"
duration_s = 5
[[device]]
kind = "meter-dsmr"
id = "meter"
count = 3
"""


@pytest.mark.parametrize("name", shipped())
def test_a_scenario_that_ships_is_usable(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.device


def test_the_scenarios_are_the_places_that_the_help_names_and_the_demos() -> None:
    assert shipped() == ["bus-line", "car-park", "intersection", "signalled-junction", "street", "tram-stop"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_made_and_says_its_name(kind: str, tmp_path: Path) -> None:
    made = simulated(kind)(Placement("device-1", 7, tmp_path), Truth())
    assert made.kind == kind
    assert list(tmp_path.iterdir()) == []


def test_several_devices_of_a_table_are_numbered_and_have_seeds_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "corner.toml"
    path.write_text(GOOD)
    scenario = load_scenario(str(path))
    assert scenario.device[0].ids() == ["meter-1", "meter-2", "meter-3"]
    assert len({scenario.seed_of(table, number) for table in range(100) for number in range(1000)}) == 100_000


def test_all_mistakes_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "corner.toml"
    path.write_text(
        'name = "corner"\nduration_s = 0\nspeed = 1\nstart = 2026-03-28T22:00:00\n[[device]]\nkind = "tank"\nid = "A"\n'
    )
    with pytest.raises(SettingsError) as refused:
        load_scenario(str(path))
    places = {problem.split(": ")[0] for problem in refused.value.problems}
    assert places == {"duration_s", "speed", "start", "device[0].kind", "device[0].id"}


def test_one_id_for_two_devices_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "corner.toml"
    path.write_text(GOOD + '[[device]]\nkind = "meter-sml"\nid = "meter-2"\n')
    with pytest.raises(SettingsError, match="another device's id"):
        load_scenario(str(path))


def test_a_scenario_that_there_is_not_names_those_that_there_are() -> None:
    with pytest.raises(HarnessError, match="intersection"):
        load_scenario("junction")


def test_values_come_back_from_toml_text_as_they_went_in() -> None:
    values = {
        "text": 'a "b" \\ \n\té \x7f',
        "number": -3,
        "fraction": 0.5,
        "yes": True,
        "list": [1, 2],
        "table": {"1-0:1.8.0": "50", "nested": {"a": [{"b": "c"}]}},
    }
    assert tomllib.loads(toml_table("[[device]]", values)) == {"device": [values]}
