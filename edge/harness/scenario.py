"""A scenario: a place in the city, its devices and what goes wrong there, as one TOML file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devices.sim.faults import FaultRates
from devices.sim.kinds import KINDS
from ledger_sync.proof.names import id_problem
from ledger_sync.proof.settings import Problems, SettingsError, load_toml, read_settings, setting

from .errors import HarnessError

SHIPPED = Path(__file__).with_name("scenarios")
_TABLES_MAX, _DEVICES_MAX = 100, 1000


def _parse_table(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise ValueError("must be a table")  # noqa: TRY004 - one kind of error for every unusable value
    return raw


def _parse_start(raw: Any) -> datetime:
    if not isinstance(raw, datetime) or raw.tzinfo is None:
        raise ValueError("must be a date and time with its offset, such as 2026-03-28T22:00:00Z")
    return raw.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """The `[device.faults]` table: chances from 0 to 1 a frame."""

    noise: float = setting(0.0, doc="up to 300 random bytes before a frame", minimum=0, maximum=1)
    flip: float = setting(0.0, doc="one flipped bit in a frame", minimum=0, maximum=1)
    truncate: float = setting(0.0, doc="a frame that is cut off", minimum=0, maximum=1)
    unplug: float = setting(0.0, doc="the plug pulled, or the connection cut", minimum=0, maximum=1)
    slow_s: float = setting(0.0, doc="how late an answer is at most", minimum=0, maximum=60)

    def rates(self) -> FaultRates:
        """As a simulated device takes them."""
        return FaultRates(self.noise, self.flip, self.truncate, self.unplug, self.slow_s)


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """One `[[device]]` table: devices of one kind."""

    kind: str = setting(doc=f"one of: {', '.join(KINDS)}", choices=tuple(KINDS))
    id: str = setting(doc="its id; of several, what their ids begin with", check=id_problem)
    count: int = setting(1, doc="how many of them", minimum=1, maximum=_DEVICES_MAX)
    interval_s: float = setting(1.0, doc="between two things it says, in its own time", minimum=0.001, maximum=86_400)
    drift_ppm: float = setting(0.0, doc="how wrong its clock runs", minimum=-100_000, maximum=100_000)
    faults: FaultSettings = setting(FaultSettings(), doc="what goes wrong on its wire")
    options: dict[str, Any] | None = setting(None, doc="what this kind alone knows", parse=_parse_table)
    gateway: dict[str, Any] | None = setting(
        None, doc="further keys of its [[device]] at the gateway", parse=_parse_table
    )

    def ids(self) -> list[str]:
        """The ids of all these devices."""
        return [self.id] if self.count == 1 else [f"{self.id}-{number}" for number in range(1, self.count + 1)]


@dataclass(frozen=True, slots=True)
class GatewayFaults:
    """The `[gateway]` table: what happens to the gateway itself, if one runs with the scenario."""

    kill_every_s: float | None = setting(None, doc="SIGKILL and start again", minimum=1, maximum=86_400)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A place. `start` is the time on the devices' clocks at the beginning, now if not given."""

    name: str = setting(doc="its name", check=id_problem)
    duration_s: float = setting(doc="how long it runs, in our time", minimum=1, maximum=30 * 86_400)
    device: tuple[DeviceSettings, ...] = setting(doc="[[device]] tables")
    seed: int = setting(1, doc="same seed, same devices and faults", minimum=0, maximum=10_000)
    time_scale: float = setting(1.0, doc="how much faster devices' time runs than ours", minimum=0.01, maximum=10_000)
    start: datetime | None = setting(None, doc="the devices' time at the beginning", parse=_parse_start)
    gateway: GatewayFaults = setting(GatewayFaults(), doc="what happens to the gateway")

    def seed_of(self, table: int, number: int) -> int:
        """The seed of device `number` of `[[device]]` table `table`, both from 0."""
        return (self.seed * _TABLES_MAX + table) * _DEVICES_MAX + number


def shipped() -> list[str]:
    """The names of the scenarios that come with Wayside."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load_scenario(name: str) -> Scenario:
    """The scenario that ships under this name, or in the file of this path.

    Raises SettingsError with all its mistakes, HarnessError for a name that is neither.
    """
    path = SHIPPED / f"{name}.toml" if re.fullmatch(r"[a-z0-9-]+", name) else Path(name)
    if not path.exists():
        raise HarnessError(f"there is no scenario {name!r}; name a TOML file, or one of: {', '.join(shipped())}")
    problems = Problems()
    scenario = read_settings(Scenario, load_toml(path), problems)
    if scenario is not None:
        _check_ids(scenario, problems)
    if scenario is None or problems:
        raise SettingsError(str(path), tuple(problems))
    return scenario


def _check_ids(scenario: Scenario, problems: Problems) -> None:
    if len(scenario.device) > _TABLES_MAX:
        problems.add("device", f"are {len(scenario.device)} tables; at most {_TABLES_MAX}")
    taken: set[str] = set()
    for index, device in enumerate(scenario.device):
        for one in device.ids():
            wrong = id_problem(one) or ("is another device's id too" if one in taken else None)
            if wrong:
                problems.add(f"device[{index}].id", f"{one!r} {wrong}")
            taken.add(one)
