"""A city whose gateway has a camera with evidence, and whose traffic office takes it.

files = make_evidence_city(tmp_path, broker.port)
async with running_ledger(files.city), running_authority(files), running_gateway(files.city): ...
"""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nacl.public import PrivateKey

from edge.authority import load_authority_settings
from edge.evidence.service import serve
from edge.journal.files import journals
from edge.journal.reader import JournalReader
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.keyfile import Algorithm, load_key, load_secret, make_key
from tests.support.city_files import CITY, GATEWAY, QUICK, CityFiles, make_city
from tests.support.evidence_camera import NAME, register_evidence_camera
from tests.support.running_city import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

AUTHORITY = "traffic-1"
CAMERA = "camera-1"

_AUTHORITY_TOML = """\
city = "{city}"
id = "{id}"
role = "{role}"
data_dir = "{id}/var"
size_max_mb = {size_max_mb}
[broker]
url = "mqtt://127.0.0.1:{port}"
[[gateway]]
id = "{gateway}"
public_key = "{gateway_key}"
"""
_TABLE = """
[[authority]]
id = "{id}"
role = "{role}"
public_key = "{public_key}"
{signing}
"""
_EVIDENCE = """
[evidence]
delete_after_s = {delete_after_s}
upload_kb_s = {upload_kb_s}
"""
_CAMERA = """
violations = {violations}
raw_bytes = {raw_bytes}
interval_s = {interval_s}
"""


@dataclass(frozen=True, slots=True)
class EvidenceCity:
    """The files of the city, the traffic office's and oversight's."""

    city: CityFiles

    @property
    def authority_config(self) -> Path:
        return self.city.directory / f"{AUTHORITY}.toml"

    @property
    def oversight_config(self) -> Path:
        return self.city.directory / "oversight-1.toml"

    @property
    def office_dir(self) -> Path:
        """The folder of the traffic office; its data_dir is `var` in it."""
        return self.city.directory / AUTHORITY

    @property
    def local(self) -> Path:
        """The camera's evidence on the gateway."""
        return self.city.directory / "var" / "evidence" / CAMERA

    @property
    def kept(self) -> Path:
        """The gateway's evidence at the authority."""
        return self.office_dir / "var" / "evidence" / GATEWAY

    def seen_count(self) -> int:
        """Violations that the camera has seen in all its runs, whether evidence could be kept of them or not."""
        seen = self.city.directory / f"{CAMERA}.seen"
        return len(seen.read_bytes()) if seen.exists() else 0

    def local_ids(self) -> set[str]:
        return {one.name for one in self.local.iterdir() if one.name[0] != "."} if self.local.exists() else set()

    def kept_ids(self) -> set[str]:
        return {one.name for one in self.kept.iterdir()} if self.kept.exists() else set()

    def events(self) -> list[bytes]:
        """The digests of evidence that recorded events sign, in order."""
        digests: list[bytes] = []
        for path in journals(self.city.directory / "var"):
            with JournalReader(path) as reader:
                for one in reader.events():
                    digests += parse_event(one.statement).evidence
        return digests


def make_evidence_city(
    directory: Path,
    port: int,
    *,
    violations: int = 3,
    raw_bytes: int = 180_000,
    interval_s: float = 0.0,
    delete_after_s: float = 3600,
    upload_kb_s: int = 1 << 16,
    size_max_mb: int = 1024,
    acknowledges: bool = True,
    gateway_port: int | None = None,
) -> EvidenceCity:
    """Write the files. The gateway reaches the broker at `gateway_port`, which may be that of a link to it."""
    register_evidence_camera()
    tables = QUICK + _EVIDENCE.format(delete_after_s=delete_after_s, upload_kb_s=upload_kb_s)
    for name, role in ((AUTHORITY, "traffic"), ("oversight-1", "oversight")):
        tables += _make_authority(directory, name, role, acknowledges=acknowledges)
    files = make_city(directory, gateway_port or port, ledger_port=port, devices={CAMERA: NAME}, tables=tables)
    with files.gateway_config.open("a") as file:
        file.write(_CAMERA.format(violations=violations, raw_bytes=raw_bytes, interval_s=interval_s))
    names = {"gateway": GATEWAY, "gateway_key": base64.b64encode(files.gateway_key).decode(), "city": CITY}
    for name, role in ((AUTHORITY, "traffic"), ("oversight-1", "oversight")):
        text = _AUTHORITY_TOML.format(id=name, role=role, port=port, size_max_mb=size_max_mb, **names)
        (directory / f"{name}.toml").write_text(text)
    return EvidenceCity(files)


def _make_authority(directory: Path, name: str, role: str, *, acknowledges: bool) -> str:
    """Its keys, and its table in gateway.toml."""
    identity = directory / name / "var" / "identity"
    make_key(identity / "authority.key", Algorithm.X25519)
    make_key(identity / "signing.key")
    key = PrivateKey(load_secret(identity / "authority.key", Algorithm.X25519)).public_key
    signing = base64.b64encode(load_key(identity / "signing.key").public_key).decode()
    line = f'signing_key = "{signing}"' if acknowledges else ""
    return _TABLE.format(id=name, role=role, public_key=base64.b64encode(bytes(key)).decode(), signing=line)


@contextlib.asynccontextmanager
async def running_authority(files: EvidenceCity, step: Callable[[str], None] = lambda _: None) -> AsyncIterator[None]:
    """Run the traffic office's service for the length of the block; it must stop in order then."""
    settings = load_authority_settings(files.authority_config)
    async with running(lambda stop: serve(settings, stop, step=step)):
        yield
