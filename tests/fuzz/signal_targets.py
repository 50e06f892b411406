"""Targets: traffic signals."""

from __future__ import annotations

import gzip
import json
from functools import partial
from typing import Any

from devices.driver import DeviceError, Recorded
from devices.signal.hires import Hires, HiresSettings
from devices.signal.hires_rows import RowReader
from devices.signal.ntcip import Ntcip, NtcipSettings
from devices.signal.ntcip_phases import SYS_UP_TIME, PhaseWatch, StatusColumn
from devices.signal.ntcip_snmp import GetRequest, Malformed, decode_answer, encoded_oid
from devices.signal.rsmp_message import MessageError, decode_message
from devices.signal.rsmp_observer import SiteObserver
from devices.signal.rsmp_session import SessionError, SessionSettings, SupervisorSession
from devices.signal.rsmp_splitter import FORM_FEED, MESSAGE_BYTES_MAX, MessageSplitter
from devices.sim.signal.rsmp_connection import packed
from devices.sim.signal.rsmp_outbox import Said
from devices.sim.signal.rsmp_program import SHOWN
from devices.sim.signal.rsmp_site_session import SiteFacts
from devices.sim.signal.snmp_agent import SnmpAgent
from tests.devices.signal import rsmp_words
from tests.fuzz.seeds import NOW, corpus
from tests.fuzz.target import Subject, Target

_FACTS = SiteFacts("KK+AG=00001", "KK+AG=00001=001TC000", ("3.1.5", "3.2.2"))


class RsmpListenerSubject(Subject):
    """What a listener makes of a site's messages, each also taken as if its supervisor had sent it."""

    def __init__(self) -> None:
        super().__init__()
        self._splitter = MessageSplitter()
        self._observer = SiteObserver(self.counters)

    def feed(self, data: bytes) -> list[Any]:
        found: list[Any] = []
        for raw in self._splitter.feed(data):
            try:
                message = decode_message(raw)
            except MessageError as error:
                self.count_error(error)
            else:
                self._observer.from_supervisor(message)
                found += self._observer.from_site(message)
        return found

    def held(self) -> int:
        return len(self._splitter._begun)


class RsmpSessionSubject(Subject):
    """A supervisor's session with a site that has shaken hands, and acknowledges all it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self._splitter = MessageSplitter()
        self._observer = SiteObserver(self.counters)
        self._connect()

    def _connect(self) -> None:
        settings = SessionSettings(None, None, ack_timeout_s=30.0, watchdog_s=60.0)
        self._session = SupervisorSession(settings, self._observer, lambda: NOW)
        for greeting in (rsmp_words.version("3.1.5", "3.2.2"), rsmp_words.raw("Watchdog", "w-1", wTs=rsmp_words.AT)):
            self._session.receive(greeting, 0.0)
            self._acknowledge()

    def _acknowledge(self) -> None:
        while self._session.outgoing:
            asked = json.loads(self._session.outgoing.pop(0).rstrip(FORM_FEED))
            if "mId" in asked:
                self._session.receive(rsmp_words.raw("MessageAck", asked["mId"]), 0.0)

    def feed(self, data: bytes) -> list[Any]:
        found: list[Any] = []
        for raw in self._splitter.feed(data):
            try:
                readings = self._session.receive(raw, 0.0)
                for reading in readings:
                    self._session.answered(reading, Recorded())
                self._acknowledge()
            except SessionError as error:
                self.count_error(error)
                self._connect()
            else:
                found += readings
        return found

    def held(self) -> int:
        return len(self._splitter._begun) + len(self._session._outstanding._waiting) + len(self._session._asked)


def _rsmp_seeds() -> list[bytes]:
    statuses = [Said.of_groups(groups, "", SHOWN, NOW, _FACTS).message() for groups in ("eee", "1BA", "01N")]
    ours = [packed(one) for one in statuses] + [
        words + FORM_FEED
        for words in (
            rsmp_words.version("3.1.2", "3.2.2"),
            rsmp_words.subscribe("0.5", on_change=False),
            rsmp_words.subscribe("0", on_change=True),
            rsmp_words.alarm(),
            rsmp_words.raw("Watchdog", wTs=rsmp_words.AT),
            rsmp_words.raw(
                "AggregatedStatus", cId=rsmp_words.SITE, aSTS=rsmp_words.AT, fP=None, fS=None, se=[False] * 8
            ),
            rsmp_words.update("1A", quality="old"),
        )
    ]
    examples = [json.loads(text) for text in corpus("signals/rsmp/examples.json")]
    return ours + [packed(one) for some in examples for one in some] + [b"".join(ours)]


def _without_names(reading: Any) -> Any:
    """The site's name is what it said of itself before."""
    return reading.type, {name: value for name, value in reading.data.items() if name != "controller"}


_RSMP_TOKENS = (
    *(
        FORM_FEED,
        b'"sS":[',
        b'"s":"',
        b'"q":"old"',
        b'"aS":"Active"',
        b'"rvs":[{"n":"a","v":[{"x":1}]}],',
        b'"mId":"1",',
    ),
    *(b'"type":"StatusUpdate"', b'"type":"Version"', b'"type":"MessageNotAck"', b'"oMId":"', b'"uRt":"999999.999999"'),
    *(b'{"mType":"rSMsg","type":"Alarm",', b'"pri":"99"', b'"cId":"'),
)


class HiresSubject(Subject):
    def __init__(self) -> None:
        super().__init__()
        self._driver = Hires("signal-1", HiresSettings(port="log.csv"))
        self._reader = RowReader("signal-1", self.counters)

    def feed(self, data: bytes) -> list[Any]:
        # Its id counts equal rows of the log: the same row again is another reading, and so it is no part of it here.
        return [self._driver._reading(event)._replace(id=None) for event in self._reader.feed(data)]

    def held(self) -> int:
        return self._reader.waiting_bytes


_HIRES_HEADER = b"TimeStamp,DeviceId,EventId,Parameter\r\n"
_HIRES_ROW = b"2026-11-23T12:34:56.700,1001,1,2\r\n"


def _hires_seeds() -> list[bytes]:
    rows = b"".join(b"2026-11-23T12:34:5%d.100,1001,%d,%d\r\n" % (at, at + 1, at % 8 + 1) for at in range(10))
    american = b'Timestamp,Event Code,"Parameter"\n4/15/2024 1:02:03.4 PM,21,4\n"4/15/2024 12:02:03 AM",10,4\n'
    real = [b"\n".join(gzip.decompress(one).split(b"\n")[:30]) for one in corpus("signals/hires/*.gz")]
    return [_HIRES_HEADER + rows, american, *real]


class NtcipSubject(Subject):
    """Each datagram is taken as the answer to what was asked last."""

    def __init__(self) -> None:
        super().__init__()
        self._connect()

    def _connect(self) -> None:
        self._driver = Ntcip("signal-1", NtcipSettings(port="udp://127.0.0.1", groups=1))
        self._driver.counters = self.counters
        self._driver._wanted = {encoded_oid(SYS_UP_TIME): None}
        self._driver._wanted |= {encoded_oid(f"{column}.1"): (1, column) for column in StatusColumn}
        self._watch = PhaseWatch()

    def feed(self, data: bytes) -> list[Any]:
        answer = decode_answer(data)
        if isinstance(answer, Malformed):
            self.count_error(answer.why)
            return []
        try:
            statuses = self._driver._statuses(answer)
        except DeviceError as error:
            self.count_error(error)
            self._connect()
            return [answer]
        changes = self._watch.changes(statuses or {})
        return [answer, *(self._driver._reading(change, 100, opening=False) for change in changes)]


def _ntcip_answers() -> list[bytes]:
    oids = (encoded_oid(SYS_UP_TIME), *(encoded_oid(f"{column}.1") for column in StatusColumn))
    found = []
    for version in ("1", "2c"):
        for missing in (0, 7):
            agent = SnmpAgent(b"public", partial(_object, missing))
            answer = agent.answer(GetRequest(version, b"public", oids).encode(0x01000001))
            assert answer is not None
            found.append(answer)
    return found


def _object(missing: int, oid: tuple[int, ...]) -> tuple[int, int] | None:
    if oid[-1] == 0:
        return 0x43, 123_456
    return None if oid[-2] == missing else (0x02, 0x55 + oid[-2])


SIGNALS = (
    Target(
        "rsmp-listener",
        RsmpListenerSubject,
        _rsmp_seeds,
        lambda: rsmp_words.alarm() + FORM_FEED,
        held_bytes_max=MESSAGE_BYTES_MAX,
        essence=_without_names,
        tokens=_RSMP_TOKENS,
    ),
    Target(
        "rsmp-session",
        RsmpSessionSubject,
        _rsmp_seeds,
        lambda: rsmp_words.alarm() + FORM_FEED,
        held_bytes_max=MESSAGE_BYTES_MAX,
        essence=_without_names,
        tokens=_RSMP_TOKENS,
    ),
    Target(
        "hires",
        HiresSubject,
        _hires_seeds,
        lambda: _HIRES_HEADER + _HIRES_ROW,
        held_bytes_max=1024,
        tokens=(
            _HIRES_HEADER,
            _HIRES_ROW,
            b'"',
            b"\xef\xbb\xbf",
            b"Event Param",
            b",",
            b"\n",
            b" AM",
            b"+23:59",
            b"0001-01-01",
        ),
    ),
    Target(
        "ntcip",
        NtcipSubject,
        _ntcip_answers,
        lambda: _ntcip_answers()[0],
        comes_in_pieces=False,
        tokens=(
            b"\x30\x84",
            b"\x02\x01",
            b"\x82\x00",
            b"\xa2\x81",
            b"\x43\x04\xff\xff\xff\xff",
            b"\x02\x05\xff\xff\xff\xff\xff",
        ),
    ),
)
