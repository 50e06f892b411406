"""The system calls of a process, as strace saw them: which began and ended when, on which file, with which bytes."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CALLS = "pwrite64,write,fdatasync,fsync,sendto"
_STRING_BYTES_MAX = 8192

_LINE = re.compile(r"(?P<thread>\d+) +(?P<text>.*)")
_CALL = re.compile(r'(?P<name>\w+)\(\d+<(?P<file>[^>]*)>(?:, "(?P<data>[^"]*)")?')
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>.*= (?P<result>-?\d+)")
_RESULT = re.compile(r"= (?P<result>-?\d+)[^=]*$")


@dataclass(slots=True)
class SystemCall:
    """One call; `begin` and `end` are places in the order of the trace, `end` None when it never returned."""

    name: str
    file: str
    data: bytes
    begin: int
    end: int | None = None


def tracer(trace: Path) -> list[str]:
    """The command to put before a program, to have `trace` written; skips the test where nobody may trace."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed (apt install strace)")
    probe = subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"strace may not trace here: {probe.stderr.decode().strip()}")
    # -D: signals reach the program, not the tracer. -y: file names beside descriptors. -xx: all bytes as hex.
    options = ["-D", "-f", "-y", "-xx", "-s", str(_STRING_BYTES_MAX), "-e", f"trace={CALLS}", "-e", "signal=none"]
    return [strace, *options, "-o", str(trace)]


def is_complete(trace: Path, pid: int) -> bool:
    """Whether the end of the process stands in the trace."""
    return re.search(rf"^{pid} +\+\+\+ exited", trace.read_text(), re.MULTILINE) is not None


def read_trace(trace: Path) -> list[SystemCall]:
    """All calls that began, in that order; those that failed are left out."""
    calls: list[SystemCall] = []
    unfinished: dict[str, SystemCall] = {}
    for place, line in enumerate(trace.read_text().splitlines()):
        matched = _LINE.match(line)
        if matched is None:
            continue
        thread, text = matched["thread"], matched["text"]
        resumed = _RESUMED.match(text)
        if resumed:
            call = unfinished.pop(thread, None)
            _settle(calls, call, place, resumed["result"])
            continue
        begun = _CALL.match(text)
        if begun is None:
            continue
        data = bytes.fromhex((begun["data"] or "").replace("\\x", ""))
        call = SystemCall(begun["name"], _file_name(begun["file"]), data, place)
        calls.append(call)
        if text.endswith("<unfinished ...>"):
            unfinished[thread] = call
        else:
            result = _RESULT.search(text)
            _settle(calls, call, place, result["result"] if result else "-1")
    return calls


def _file_name(shown: str) -> str:
    """With -xx some versions of strace show the names that -y adds as hex too."""
    return bytes.fromhex(shown.replace("\\x", "")).decode() if shown.startswith("\\x") else shown


def _settle(calls: list[SystemCall], call: SystemCall | None, place: int, result: str) -> None:
    if call is None:
        return
    if int(result) < 0:
        calls.remove(call)
    else:
        call.end = place
