"""Signal groups in RSMP: status S0001 of the signal exchange list for traffic light controllers.

One character a group, the leftmost is group 1. The characters' meaning is the table "Signal group status" of
rsmp_sxl_traffic_lights (source/signal_group_status.rst, 1.0.7 to 1.2.1).
"""

from __future__ import annotations

from typing import NamedTuple

GROUPS_MAX = 256
COMPONENTS_MAX = 32
ABSENT = "-"
"""The character of a group that does not exist."""

SIGNAL_STATES = (
    dict.fromkeys("ab", "dark")
    | {"c": "yellow_flashing", "d": "red_flashing"}
    # Start-up intervals 1 and 2: what they show (dark, yellow, red) hangs on the kind of group, which is not told.
    | dict.fromkeys("ef", "starting")
    | dict.fromkeys("ghABCDEFGP", "red")
    | {"0": "red_yellow"}
    | dict.fromkeys("12345678", "green")
    | {"9": "green_flashing"}
    | dict.fromkeys("NO", "yellow")
)


class GroupState(NamedTuple):
    """A group (from 1) and its character; `is_opening`: told because a link began, not because it changed."""

    group: int
    character: str
    is_opening: bool


class PhaseChanges:
    """Which groups changed from one S0001 to the next, a component.

    A site that kept statuses while its link was down sends them after it came back, marked "old", and perhaps after
    current ones: they are followed on a track of their own. Nothing is carried over from one link to the next: what
    was heard there may not have been recorded, and is then sent again.
    """

    def __init__(self) -> None:
        self._now: dict[str, str] = {}
        self._old: dict[str, str] = {}

    def begin(self) -> None:
        """A link began: what is told first on it, on each track, is an opening."""
        self._now.clear()
        self._old.clear()

    def look(self, component: str, characters: str, *, is_old: bool) -> list[GroupState]:
        """What is new in the S0001 of a component. Raises ValueError when it is more than can be followed."""
        track = self._old if is_old else self._now
        if len(characters) > GROUPS_MAX:
            raise ValueError(f"a status has more than {GROUPS_MAX} signal groups")
        if component not in track and len(track) >= COMPONENTS_MAX:
            raise ValueError(f"the site has more than {COMPONENTS_MAX} components with signal groups")
        before = track.get(component)
        is_opening = before is None
        known = (before or "").ljust(len(characters), ABSENT)
        now = characters.ljust(len(known), ABSENT)
        track[component] = now
        return [
            GroupState(group, one, is_opening)
            for group, (was, one) in enumerate(zip(known, now, strict=True), start=1)
            if one != was
        ]
