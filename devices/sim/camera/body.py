"""Bodies of road users: quadrilaterals in space with a picture on each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from devices.sim.camera import paint
from devices.sim.camera.number_plate import SHAPES, draw_plate
from devices.sim.camera.road_user import Kind
from devices.sim.camera.texture import Texture

if TYPE_CHECKING:
    from devices.sim.camera.paint import Colour, Points
    from devices.sim.camera.pose import Floats, Image
    from devices.sim.camera.road_user import RoadUser


class Face(NamedTuple):
    """A parallelogram: corners (4, 3) in metres from the middle of the body on the ground (right, ahead, up).

    They go clockwise, seen from outside, from the picture's top left corner.
    """

    corners: Floats
    texture: Texture
    retroreflective: bool = False


@dataclass(frozen=True, eq=False)
class Body:
    """`headlamps` and `tail_lamps` (n, 3): where they are, in the same metres."""

    faces: tuple[Face, ...]
    headlamps: Floats
    tail_lamps: Floats

    @cached_property
    def corners(self) -> Floats:
        """All faces' corners (4 n, 3)."""
        return np.concatenate([face.corners for face in self.faces])


@dataclass(frozen=True)
class _Shape:
    """Seen from its right side: profile and windows as (metres from the rear, metres up), wheels (from rear, radius).

    `glass`: which stretches of the profile, from the rear's foot over the roof to the front's, are panes.
    """

    profile: Points
    glass: frozenset[int]
    windows: tuple[Points, ...]
    wheels: Points


_SHAPES = {
    Kind.CAR: _Shape(
        ((0.0, 0.24), (0.0, 0.95), (0.35, 1.0), (0.95, 1.44), (2.5, 1.46), (3.2, 0.98), (4.32, 0.8), (4.4, 0.24)),
        frozenset({2, 4}),
        (
            ((0.62, 0.98), (1.05, 1.36), (1.75, 1.38), (1.75, 0.96)),
            ((1.85, 0.96), (1.85, 1.38), (2.42, 1.38), (2.98, 0.96)),
        ),
        ((0.8, 0.32), (3.5, 0.32)),
    ),
    Kind.VAN: _Shape(
        ((0.0, 0.3), (0.05, 2.25), (3.9, 2.3), (4.6, 1.35), (5.35, 1.1), (5.4, 0.3)),
        frozenset({2}),
        (((3.3, 1.3), (3.3, 1.95), (3.9, 1.95), (4.35, 1.3)),),
        ((1.0, 0.34), (4.4, 0.34)),
    ),
    Kind.TRUCK: _Shape(
        ((0.0, 0.5), (0.0, 3.4), (6.9, 3.4), (7.1, 2.9), (8.8, 2.8), (9.0, 1.4), (9.0, 0.4)),
        frozenset({4}),
        (((7.7, 1.5), (7.7, 2.3), (8.6, 2.3), (8.75, 1.5)),),
        ((1.2, 0.5), (2.5, 0.5), (7.9, 0.5)),
    ),
    Kind.BUS: _Shape(
        ((0.0, 0.35), (0.0, 3.05), (11.8, 3.1), (12.0, 1.2), (12.0, 0.35)),
        frozenset({2}),
        tuple(((a, 1.4), (a, 2.5), (a + 1.8, 2.5), (a + 1.8, 1.4)) for a in (0.6, 2.6, 4.6, 6.6, 8.6)),
        ((3.0, 0.5), (9.3, 0.5)),
    ),
}


def body_of(user: RoadUser) -> Body:
    """The body of a road user."""
    return _body(user.kind, user.colour, user.plate, user.country, user.number)


@lru_cache(maxsize=128)
def _body(kind: Kind, colour: Colour, plate: str, country: str, seed: int) -> Body:
    if kind is Kind.TWO_WHEELER:
        return _rider(colour, seed)
    if kind is Kind.PEDESTRIAN:
        return _walker(colour, seed)
    body = _vehicle(kind, colour, seed)
    plates = _plates(kind, plate, country) if plate else []
    return Body((*body.faces, *plates), body.headlamps, body.tail_lamps)


def _vehicle(kind: Kind, colour: Colour, seed: int) -> Body:
    shape, size = _SHAPES[kind], kind.size
    half_width, half_length = size.width_m / 2, size.length_m / 2
    picture = paint.side(shape.profile, shape.windows, shape.wheels, colour, seed)
    faces = [
        _side(half_width, half_length, size.height_m, picture),
        _side(-half_width, half_length, size.height_m, picture),
    ]
    faces += _tyres(shape.wheels, half_width, half_length)
    last = len(shape.profile) - 2
    for index, ((start, low), (stop, high)) in enumerate(pairwise(shape.profile)):
        span = float(np.hypot(stop - start, high - low))
        if index in shape.glass:
            cover = paint.glass(size.width_m, span, colour, seed + index)
        elif index in (0, last):
            cover = paint.end(size.width_m, span, colour, seed + index, front=index == last)
        else:
            cover = paint.plain(size.width_m, span, colour, seed + index)
        faces.append(_strip(half_width, start - half_length, low, stop - half_length, high, Texture(cover)))
    lamp_z = min(0.7, shape.profile[-2][1])
    lamps = np.array([[-half_width + 0.25, 0.0, lamp_z], [half_width - 0.25, 0.0, lamp_z]])
    ahead = np.array([0.0, half_length + 0.02, 0.0])
    return Body(tuple(faces), lamps + ahead, lamps - ahead + np.array([0, 0, 0.1]))


def _side(x: float, half_length: float, height: float, picture: Image) -> Face:
    """The left or right side; the picture's left is the rear, which seen from the left is at the right."""
    rear, front = (-half_length, half_length) if x > 0 else (half_length, -half_length)
    corners = np.array([[x, rear, height], [x, front, height], [x, front, 0], [x, rear, 0]])
    return Face(corners, Texture(picture if x > 0 else np.ascontiguousarray(picture[:, ::-1])))


def _strip(half_width: float, y0: float, z0: float, y1: float, z1: float, texture: Texture) -> Face:
    """A band across the body from one point of its profile to the next; its picture stands upright from outside."""
    first = [[half_width, y0, z0], [-half_width, y0, z0]]
    second = [[-half_width, y1, z1], [half_width, y1, z1]]
    if z1 >= z0:
        corners = np.array([second[0], second[1], first[0], first[1]])
    else:
        corners = np.array([first[0], first[1], second[0], second[1]])
    return Face(corners, texture)


def _tyres(wheels: Points, half_width: float, half_length: float) -> list[Face]:
    """The tyres' backs and fronts, seen under the bumpers."""
    tread = Texture(paint.plain(0.22, 0.4, (24, 24, 24), 1))
    faces = []
    for along, radius in wheels:
        for x in (-half_width + 0.15, half_width - 0.15):
            for side in (-1, 1):
                y, dx = along - half_length + side * radius * 0.7, 0.11 * side
                corners = [[x + dx, y, radius], [x - dx, y, radius], [x - dx, y, 0], [x + dx, y, 0]]
                faces.append(Face(np.array(corners), tread))
    return faces


def _plates(kind: Kind, text: str, country: str) -> list[Face]:
    shape, half_length = SHAPES[country], kind.size.length_m / 2
    texture = Texture(draw_plate(text, country))
    low = 0.42 if kind is Kind.CAR else 0.6
    faces = []
    for side in (-1, 1):
        dx, y = -side * shape.width_m / 2, side * (half_length + 0.03)
        high = low + shape.height_m
        corners = [[-dx, y, high], [dx, y, high], [dx, y, low], [-dx, y, low]]
        faces.append(Face(np.array(corners), texture, retroreflective=True))
    return faces


def _box(low: tuple[float, float, float], high: tuple[float, float, float], colour: Colour, seed: int) -> list[Face]:
    """The five faces of an upright box that can be seen."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    texture = Texture(paint.plain(0.5, 0.5, colour, seed))
    corners = (
        [[x0, y0, z1], [x1, y0, z1], [x1, y0, z0], [x0, y0, z0]],
        [[x1, y1, z1], [x0, y1, z1], [x0, y1, z0], [x1, y1, z0]],
        [[x1, y0, z1], [x1, y1, z1], [x1, y1, z0], [x1, y0, z0]],
        [[x0, y1, z1], [x0, y0, z1], [x0, y0, z0], [x0, y1, z0]],
        [[x0, y1, z1], [x1, y1, z1], [x1, y0, z1], [x0, y0, z1]],
    )
    return [Face(np.array(face), texture) for face in corners]


def _rider(colour: Colour, seed: int) -> Body:
    faces = [
        *_box((-0.07, -1.0, 0.0), (0.07, -0.4, 0.6), (26, 26, 26), seed),
        *_box((-0.07, 0.4, 0.0), (0.07, 1.0, 0.6), (26, 26, 26), seed),
        *_box((-0.2, -0.8, 0.35), (0.2, 0.7, 0.85), colour, seed),
        *_box((-0.25, -0.4, 0.85), (0.25, 0.05, 1.4), (60, 50, 45), seed),
        *_box((-0.36, 0.45, 0.9), (0.36, 0.55, 1.05), (40, 40, 40), seed),
        *_box((-0.13, -0.25, 1.4), (0.13, 0.05, 1.65), (200, 200, 205), seed),
    ]
    return Body(tuple(faces), np.array([[0.0, 1.0, 0.8]]), np.array([[0.0, -1.0, 0.7]]))


def _walker(colour: Colour, seed: int) -> Body:
    faces = [
        *_box((-0.16, -0.1, 0.0), (-0.02, 0.1, 0.85), (70, 50, 40), seed),
        *_box((0.02, -0.1, 0.0), (0.16, 0.1, 0.85), (70, 50, 40), seed),
        *_box((-0.24, -0.13, 0.85), (0.24, 0.13, 1.48), colour, seed),
        *_box((-0.1, -0.1, 1.5), (0.1, 0.12, 1.75), (130, 160, 200), seed),
    ]
    return Body(tuple(faces), np.zeros((0, 3)), np.zeros((0, 3)))
