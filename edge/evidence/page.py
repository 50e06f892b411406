"""One page that shows a piece of evidence and why it holds: HTML in one file, which loads nothing and runs nothing."""

from __future__ import annotations

import base64
import html
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ledger_sync.proof.report import data_to_json, printable, utc_s_text, utc_us_text

if TYPE_CHECKING:
    from edge.evidence.opening import Opened

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #111; }
img { max-width: 100%; border: 1px solid #999; } img.plate { height: 4rem; image-rendering: pixelated; }
.verdict { background: #e5f5e5; border-left: .5rem solid #2a7a2a; padding: .5rem 1rem; }
th { text-align: left; vertical-align: top; padding-right: 2rem; font-weight: 600; } td { overflow-wrap: anywhere; }
.plate-text { font: 700 1.5rem/1 monospace; border: 2px solid #111; border-radius: .3rem; padding: .3rem .6rem; }
"""
_MM_S_PER_KM_H = 1_000_000 / 3600


def evidence_page(opened: Opened) -> str:
    """The page of evidence that holds."""
    event, working = opened.event, opened.working
    plate = "<p>No plate was read with confidence.</p>"
    if working.plate is not None:
        crop = _image(working.plate.crop, "image/png", "the plate as it was seen", "plate")
        plate = f'<p>{crop}</p><p><span class="plate-text">{_text(working.plate.text)}</span></p>'
    title = f"Evidence {opened.manifest.id.hex()}"
    told = (*opened.checks, *(f"not checked: {one}" for one in opened.unchecked))
    checks = "".join(f"<li>{_text(one)}</li>" for one in told)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>{_STYLE}</style></head><body>
<h1>{_text(event.type)}, {_text(utc_us_text(event.stamp.utc_us))}</h1>
<div class="verdict"><p><strong>{_verdict(opened)}</strong></p><ul>{checks}</ul></div>
<h2>Picture</h2><p>{_image(working.picture, "image/jpeg", "the working picture", "picture")}</p>
<h2>Plate</h2>{plate}
<h2>Measurement, as signed</h2><table>{_rows(measurement(dict(event.data)))}</table>
<h2>Event</h2><table>{_rows(_facts(opened))}</table>
<p>Made {_text(utc_s_text(int(datetime.now(UTC).timestamp())))} by <code>wayside evidence open</code>.</p>
</body></html>
"""


def measurement(data: dict[str, Any]) -> dict[str, str]:
    """Event data for people: each value as it was signed, speeds in km/h beside it."""
    told = {}
    for name, value in data_to_json(data).items():
        text = str(value)
        if name.endswith("_mm_s") and isinstance(value, int):
            text = f"{value} ({value / _MM_S_PER_KM_H:.1f} km/h)"
        elif name == "taken_us" and isinstance(value, int):
            text = f"{value} ({utc_us_text(value)})"
        elif isinstance(value, dict):
            text = ", ".join(f"{key} {one}" for key, one in value.items())
        told[name] = text
    return told


def _verdict(opened: Opened) -> str:
    if opened.proven is None:
        return "Verified: signed by the gateway, and unaltered since. When it was logged was not checked."
    logged_by = utc_s_text(opened.proven.logged_by)
    return f"Verified: signed by the gateway, unaltered since, and in the city's ledger by {logged_by}."


def _facts(opened: Opened) -> dict[str, str]:
    event = opened.event
    clock = ("unsynced", "holdover", "synced")[event.stamp.clock.state]
    bound = "" if event.stamp.clock.error_us is None else f", to {event.stamp.clock.error_us} µs"
    facts = {
        "device": event.device,
        "gateway": f"{event.city}/{event.gateway}",
        "place": f"sequence {event.sequence}, journal {event.journal.hex()}",
        "clock": f"{clock}{bound}",
        "evidence": opened.manifest.id.hex(),
    }
    facts |= {f"{one.name}, sealed": f"SHA-256 {one.sealed_sha256.hex()}" for one in opened.manifest.objects}
    facts |= {f"{one.name}, in clear": f"SHA-256 {one.clear_sha256.hex()}" for one in opened.manifest.objects}
    return facts


def _rows(facts: dict[str, str]) -> str:
    return "".join(f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in facts.items())


def _image(content: bytes, kind: str, description: str, name: str) -> str:
    return f'<img class="{name}" alt="{description}" src="data:{kind};base64,{base64.b64encode(content).decode()}">'


def _text(value: str) -> str:
    return html.escape(printable(value))
