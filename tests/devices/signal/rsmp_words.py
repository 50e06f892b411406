"""RSMP messages for tests, written out by hand."""

from __future__ import annotations

import json
from typing import Any

from devices.signal.rsmp_message import Message, decode_message

SITE = "O+14439=481WA001"
AT = "2015-06-08T09:33:04.735Z"


def raw(kind: str, message_id: str = "m-1", **members: Any) -> bytes:
    name = "oMId" if kind in ("MessageAck", "MessageNotAck") else "mId"
    return json.dumps({"mType": "rSMsg", "type": kind, name: message_id, **members}).encode()


def said(kind: str, message_id: str = "m-1", **members: Any) -> Message:
    return decode_message(raw(kind, message_id, **members))


def version(*versions: str, site_id: str = SITE) -> bytes:
    return raw("Version", "v-1", RSMP=[{"vers": one} for one in versions], siteId=[{"sId": site_id}], SXL="1.2.1")


def update(groups: Any, *, quality: str = "recent", at: str = AT, component: str = SITE, kind: str = "Update") -> bytes:
    status = {"sCI": "S0001", "n": "signalgroupstatus", "s": groups, "q": quality}
    return raw(f"Status{kind}", f"u-{groups}-{at}"[:60], ntsOId="", xNId="", cId=component, sTs=at, sS=[status])


def subscribe(rate: str, *, on_change: bool | None, name: str = "signalgroupstatus") -> bytes:
    wanted: dict[str, Any] = {"sCI": "S0001", "n": name, "uRt": rate}
    if on_change is not None:
        wanted["sOc"] = on_change
    return raw("StatusSubscribe", "s-1", cId=SITE, sS=[wanted])


def alarm(**members: Any) -> bytes:
    plain = {
        "cId": SITE,
        "aCId": "A0202",
        "xACId": "Lamp error #14",
        "aSp": "Issue",
        "ack": "notAcknowledged",
        "aS": "Active",
        "sS": "notSuspended",
        "aTs": AT,
        "cat": "D",
        "pri": "3",
        "rvs": [{"n": "color", "v": "red"}],
    }
    return raw("Alarm", **(plain | members))
