"""Keys of a `[[device]]` with `driver = "camera"`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.camera.plates.countries import country_syntax, written_syntax
from devices.camera.plates.syntax import PatternError
from devices.camera.source.address import read_address
from devices.camera.source.errors import SourceError
from devices.camera.source.settings import SourceSettings
from ledger_sync.proof.names import id_problem
from ledger_sync.proof.settings import Problems, SettingsError, parse_file, parse_folder, read_settings, setting

if TYPE_CHECKING:
    from devices.camera.plates.syntax import Syntax

TRAFFIC, OVERSIGHT = "traffic", "oversight"
_GROUP_CHARACTERS_MAX = 32
_PATTERNS_MAX = 64


def _check_source(url: str) -> str | None:
    try:
        read_address(SourceSettings(url))
    except SourceError as error:
        return str(error).removeprefix("url: ")
    return None


def _parse_group(raw: Any) -> str:
    is_group = isinstance(raw, int | str) and not isinstance(raw, bool)
    if not is_group or not 0 < len(str(raw)) <= _GROUP_CHARACTERS_MAX:
        raise ValueError("must be the number or the name of a signal group, such as 2")
    return str(raw)


def _check_country(name: str) -> str | None:
    try:
        country_syntax(name)
    except PatternError as error:
        return str(error)
    return None


def _parse_patterns(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple) or not 0 < len(raw) <= _PATTERNS_MAX:
        raise ValueError('must be patterns of plates, such as ["AA999AA", "A{1,3}9999"]')
    if not all(isinstance(one, str) for one in raw):
        raise ValueError("must be texts, one pattern each")
    written_syntax(tuple(raw))
    return tuple(raw)


def _check_main_stream(url: str) -> str | None:
    if not url.startswith(("rtsp://", "tcp://")):
        return "must be rtsp:// or tcp:// (MPEG-TS): of other videos the last seconds are not kept as they came"
    return _check_source(url)


@dataclass(frozen=True)
class CameraSettings:
    """What a camera is told beside its id: where its video comes from, what is counted, who is accused of what."""

    port: str = setting(
        doc="the video: rtsp://, http:// (MJPEG), tcp:// (MPEG-TS), /dev/videoN or a file", check=_check_source
    )
    calibration: Path = setting(doc="the calibration's file, with lanes and lines", parse=parse_file)
    main_stream: str | None = setting(
        None,
        doc="the camera's large stream, for evidence alone; `port` is its small one",
        check=_check_main_stream,
    )
    credentials_file: Path | None = setting(
        None, doc="a file with one line user:password, for both streams", parse=parse_file
    )
    latency_max_ms: int = setting(
        1000, doc="how long a picture takes from the camera to the gateway at most", minimum=10, maximum=10_000
    )
    count_interval_s: int = setting(300, doc="how often counts are recorded", minimum=1, maximum=86_400)
    record_passages: bool = setting(default=False, doc="one vehicle.passage a vehicle that was measured")
    speed_limit_km_h: int | None = setting(None, doc="who is faster is recorded, with evidence", minimum=5, maximum=300)
    speed_tolerance_km_h: int = setting(
        0, doc="granted on top of the limit and the uncertainty", minimum=0, maximum=100
    )
    signal: str | None = setting(
        None, doc="the id of the device that tells the signal's states: who runs it is recorded", check=id_problem
    )
    signal_group: str | None = setting(None, doc="the signal group (phase) of the lanes", parse=_parse_group)
    signal_component: str | None = setting(None, doc="which component of the controller the group is of, if several")
    grace_ms: int = setting(500, doc="red for so long before anybody is accused", minimum=0, maximum=10_000)
    signal_delay_ms: int = setting(
        1000, doc="how long a change takes from the lamp to the gateway at most", minimum=0, maximum=10_000
    )
    plates: str | None = setting(
        None, doc="read plates, of violations only: a country such as de, or eu, us, br", check=_check_country
    )
    plate_patterns: tuple[str, ...] = setting((), doc="forms of plates in place of a country's", parse=_parse_patterns)
    models: Path | None = setting(None, doc="the folder of the models that read plates", parse=parse_folder)
    shows_people: bool = setting(default=False, doc="show who sits in the vehicle, where the law asks for it")
    evidence_size_max_mb: int = setting(2048, doc="how much evidence may wait on the disk", minimum=16, maximum=1 << 20)

    def __post_init__(self) -> None:
        """Raises ValueError for keys that do not go together."""
        if (self.signal is None) != (self.signal_group is None):
            raise ValueError("signal and signal_group go together; name both, or neither")
        if self.plate_patterns and self.plates is not None:
            raise ValueError("plates and plate_patterns are two ways to say it; keep one")
        if self.reads_plates and not self.enforces:
            raise ValueError("plates are read of violations only; set speed_limit_km_h or signal, or leave plates out")

    @property
    def enforces(self) -> bool:
        """Whether anybody is accused of anything."""
        return self.speed_limit_km_h is not None or self.signal is not None

    @property
    def reads_plates(self) -> bool:
        """Whether plates are read."""
        return self.plate_syntax is not None

    @property
    def plate_syntax(self) -> Syntax | None:
        """What the plates that are read look like; None where none are."""
        if self.plates is not None:
            return country_syntax(self.plates)
        return written_syntax(self.plate_patterns) if self.plate_patterns else None


def as_table(settings: CameraSettings) -> dict[str, Any]:
    """The settings as TOML would have them, for the camera's process; `from_table` reads them there."""
    values = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    table = {key: str(one) if isinstance(one, Path) else one for key, one in values.items()}
    return {key: one for key, one in table.items() if one is not None and one != ()}


def from_table(table: dict[str, Any]) -> CameraSettings:
    """The settings in a table of `as_table`. Raises SettingsError."""
    problems = Problems()
    settings = read_settings(CameraSettings, table, problems)
    if settings is None:
        raise SettingsError("camera", tuple(problems))
    return settings
