"""Light and weather: what they do to colours, shadows and lamps."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp


@dataclass(frozen=True)
class Light:
    """`sun`: towards it (x, y, z). `ambient` and `direct`: how bright what faces away from it and towards it is.

    `shadow`: how much of the road's light a cast shadow takes (0 to 1). `noise`: the sensor's, standard deviation in
    grey levels. `lamps_lit`: whether vehicles drive with lamps; `beam`: how far these light the road (0 to 1).
    `street_lamps`: how bright the road is under one. `rain`: streaks in a frame. `wet`: how far the road mirrors lamps
    (0 to 1). `fog`: how much of the light is scattered (0 to 1).
    """

    sun: tuple[float, float, float] = (-0.55, -0.35, 0.75)
    ambient: float = 0.62
    direct: float = 0.5
    shadow: float = 0.48
    noise: float = 2.2
    lamps_lit: bool = False
    beam: float = 0.0
    street_lamps: float = 0.0
    rain: int = 0
    wet: float = 0.0
    fog: float = 0.0


FULL = Light(sun=(0.0, 0.0, 1.0), ambient=1.0, direct=0.0, shadow=0.0, noise=0.0)
"""In which the road shows its own colours."""
DAY = Light()
OVERCAST = Light(sun=(0.0, 0.0, 1.0), ambient=0.68, direct=0.22, shadow=0.0, noise=2.6)
RAIN = Light(
    sun=(0.0, 0.0, 1.0),
    ambient=0.55,
    direct=0.15,
    shadow=0.0,
    noise=3.2,
    lamps_lit=True,
    beam=0.15,
    rain=260,
    wet=0.45,
    fog=0.12,
)
NIGHT = Light(
    sun=(0.3, -0.2, 0.9), ambient=0.09, direct=0.03, shadow=0.0, noise=4.5, lamps_lit=True, beam=0.8, street_lamps=0.30
)

STREET_LAMP_YS = tuple(12.0 + 28.0 * number for number in range(5))
"""Where street lamps stand along the road, in metres."""


def street_light(light: Light, beside_m: float, y_m: float) -> float:
    """How bright street lamps make a place `beside_m` across from their row."""
    return light.street_lamps * sum(exp(-(beside_m**2) / 90 - (y_m - lamp_y) ** 2 / 110) for lamp_y in STREET_LAMP_YS)
