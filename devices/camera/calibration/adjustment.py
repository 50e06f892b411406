"""Least-squares adjustment of a survey: the homography that fits marks and distances best, and how surely.

Unknown are the homography and where each mark truly is in the frame; observed are the marks' pixels, the coordinates
of those that were surveyed on the ground, and distances. Gauss-Newton with damping (Levenberg-Marquardt) from a set
of ordinary camera poses. Covariance, redundancy numbers and normalised residuals: W. Baarda, A testing procedure for
use in geodetic networks, Netherlands Geodetic Commission 2 (5), 1968; R. Hartley, A. Zisserman, Multiple View Geometry
in Computer Vision, 2nd ed., 2004, chapters 4 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from devices.camera.calibration.ground_plane import GroundPlane, by_entries, by_pixels
from devices.camera.calibration.ordinary_poses import posed_homographies

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.calibration.observations import Observations

    Array = npt.NDArray[np.float64]

_STARTS_TRIED = 5
_ITERATIONS_MAX = 60
_CONDITION_MAX = 1e7
_REDUNDANCY_MIN = 1e-6
"""Below this nothing checks an observation; what remains of it is rounding."""
NOTICEABLE = 4.84
"""In standard uncertainties of a residual: a mistake that takes it beyond 4.0, the bound of a fit, 4 times out of 5."""
_ENTRIES = 8
"""Of the homography, up to scale: the ninth is 1."""


class UndeterminedError(Exception):
    """The observations do not determine the plane, or nothing plausible fits them."""


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """The best plane, and how each observation fits it.

    `ground` (n, 2) is where the marks are, in metres. Residuals are adjusted minus observed. A normalised residual
    is one over its own standard uncertainty; a redundancy number is the share of an observation that others check,
    from 0 (nothing would notice it wrong) to 1. Marks: pixels (n, 2); coordinates (n, 2), NaN where not surveyed;
    distances (m). `unnoticed` (observations, 9) is what the largest mistake in one observation that may pass
    unnoticed does to the plane's entries.
    """

    plane: GroundPlane
    ground: Array
    degrees_of_freedom: int
    chi_squared: float
    pixel_residuals: Array
    pixel_normalised: Array
    coordinate_residuals: Array
    coordinate_normalised: Array
    distance_residuals: Array
    distance_normalised: Array
    distance_redundancies: Array
    unnoticed: Array


def adjust(observed: Observations) -> Adjusted:
    """The adjusted plane. Raises UndeterminedError."""
    problem = _Problem(observed)
    best: tuple[float, Array] | None = None
    for start in problem.starts():
        found = _minimise(problem, start)
        if found is not None and (best is None or found[0] < best[0]):
            best = found
            if found[0] <= problem.observed_count:  # no other minimum fits like this
                break
    if best is None:
        raise UndeterminedError("no view of a road fits the marks and distances")
    return problem.judge(best[1])


def _minimise(problem: _Problem, start: Array) -> tuple[float, Array] | None:
    """Sum of squares and parameters of the minimum next to `start`; None where there is none."""
    parameters, damping = start, 1e-3
    residuals, jacobian = problem.linearised(parameters)
    cost = float(residuals @ residuals)
    for _ in range(_ITERATIONS_MAX):
        scale = np.linalg.norm(jacobian, axis=0)
        scaled = jacobian / np.where(scale > 0, scale, 1.0)
        normal = scaled.T @ scaled
        step = np.linalg.solve(normal + damping * np.eye(len(normal)), -scaled.T @ residuals) / scale.clip(1e-300)
        if not problem.is_in_front(parameters + step):
            damping *= 10
        else:
            tried, its_jacobian = problem.linearised(parameters + step)
            its_cost = float(tried @ tried)
            if its_cost < cost:
                gain = cost - its_cost
                parameters, residuals, jacobian, cost = parameters + step, tried, its_jacobian, its_cost
                damping = max(damping / 10, 1e-12)
                if gain <= 1e-9 * (cost + 1e-9):
                    return cost, parameters
            else:
                damping *= 10
        if damping > 1e9:  # noqa: PLR2004 - no step of any length helps
            return cost, parameters
    return None


class _Problem:
    """The observations in coordinates that are well-conditioned, and what their model predicts.

    Parameters: the homography's first eight entries, then the marks' x and y, in units of half the frame's width from
    the marks' middle.
    """

    def __init__(self, observed: Observations) -> None:
        self._observed = observed
        self._unit_px = observed.frame_size[0] / 2
        self._middle = observed.pixels.mean(axis=0)
        self._marks = (observed.pixels - self._middle) / self._unit_px
        self._sigma = observed.sigma_px / self._unit_px
        self._known = np.flatnonzero(np.isfinite(observed.coordinates_m[:, 0]))

    def starts(self) -> list[Array]:
        """Parameters of the ordinary poses that fit best, best first."""
        ranked = []
        for homography in posed_homographies(self._observed, self._marks, self._unit_px):
            parameters = np.concatenate([homography.ravel()[:_ENTRIES], self._marks.ravel()])
            residuals, _ = self.linearised(parameters)
            ranked.append((float(residuals @ residuals), parameters))
        ranked.sort(key=lambda pair: pair[0])
        return [parameters for _, parameters in ranked[:_STARTS_TRIED]]

    @property
    def observed_count(self) -> int:
        """How many numbers were observed."""
        return 2 * len(self._marks) + 2 * len(self._known) + len(self._observed.ends)

    def is_in_front(self, parameters: Array) -> bool:
        """Whether every mark is below the horizon."""
        homography, marks = _unpacked(parameters)
        return bool((marks @ homography[2, :2] + 1.0 > 1e-6).all())  # noqa: PLR2004 - not above, and not on it

    def linearised(self, parameters: Array) -> tuple[Array, Array]:
        """Residuals and their derivatives, each over its standard uncertainty: pixels, coordinates, distances."""
        observed = self._observed
        homography, marks = _unpacked(parameters)
        ground = GroundPlane(homography, None).to_ground(marks)
        by_parameter = self._ground_by_parameter(homography, marks)
        of_pixels = np.hstack([np.zeros((marks.size, _ENTRIES)), np.eye(marks.size)]) / self._sigma
        sigmas = observed.coordinate_sigmas_m[self._known]
        difference = ground[observed.ends[:, 1]] - ground[observed.ends[:, 0]]
        lengths = np.linalg.norm(difference, axis=1)
        along = difference / lengths[:, None]
        of_ends = by_parameter[observed.ends[:, 1]] - by_parameter[observed.ends[:, 0]]
        residuals = [
            (marks - self._marks).ravel() / self._sigma,
            ((ground - observed.coordinates_m)[self._known] / sigmas[:, None]).ravel(),
            (lengths - observed.distances_m) / observed.distance_sigmas_m,
        ]
        jacobian = [
            of_pixels,
            (by_parameter[self._known] / sigmas[:, None, None]).reshape(-1, parameters.size),
            np.einsum("mi,mip->mp", along, of_ends) / observed.distance_sigmas_m[:, None],
        ]
        return np.concatenate(residuals), np.concatenate(jacobian)

    def _ground_by_parameter(self, homography: Array, marks: Array) -> Array:
        """Derivatives (n, 2, parameters) of the marks' places on the ground."""
        count = len(marks)
        derivatives = np.zeros((count, 2, _ENTRIES + marks.size))
        derivatives[:, :, :_ENTRIES] = by_entries(homography, marks)[:, :, :_ENTRIES]
        of_marks = by_pixels(homography, marks)
        for index in range(count):
            at = _ENTRIES + 2 * index
            derivatives[index, :, at : at + 2] = of_marks[index]
        return derivatives

    def judge(self, parameters: Array) -> Adjusted:
        """The adjusted plane and how the observations fit it. Raises UndeterminedError."""
        homography, adjusted_marks = _unpacked(parameters)
        residuals, jacobian = self.linearised(parameters)
        covariance = self._covariance(jacobian)
        redundancies = 1.0 - np.einsum("ij,jk,ik->i", jacobian, covariance, jacobian)
        normalised = residuals / np.sqrt(redundancies.clip(_REDUNDANCY_MIN))
        marks, known = len(self._marks), len(self._known)
        cuts = [2 * marks, 2 * marks + 2 * known]
        of_pixels, of_coordinates, of_distances = np.split(residuals, cuts)
        pixels_normalised, coordinates_normalised, distances_normalised = np.split(normalised, cuts)
        sigmas = self._observed.coordinate_sigmas_m[self._known, None]
        return Adjusted(
            plane=self._plane(parameters, covariance[:_ENTRIES, :_ENTRIES]),
            ground=GroundPlane(homography, None).to_ground(adjusted_marks),
            unnoticed=self._unnoticed(jacobian, covariance, redundancies),
            degrees_of_freedom=len(residuals) - len(parameters) + self._free_directions,
            chi_squared=float(residuals @ residuals),
            pixel_residuals=of_pixels.reshape(-1, 2) * self._observed.sigma_px,
            pixel_normalised=pixels_normalised.reshape(-1, 2),
            coordinate_residuals=self._of_all(of_coordinates.reshape(-1, 2) * sigmas),
            coordinate_normalised=self._of_all(coordinates_normalised.reshape(-1, 2)),
            distance_residuals=of_distances * self._observed.distance_sigmas_m,
            distance_normalised=distances_normalised,
            distance_redundancies=redundancies[cuts[1] :],
        )

    @property
    def _free_directions(self) -> int:
        """Place and direction on the ground that no coordinates fix: no length depends on them."""
        return max(0, 3 - 2 * len(self._known))

    def _covariance(self, jacobian: Array) -> Array:
        """Of all parameters; none along the free directions."""
        scale = np.linalg.norm(jacobian, axis=0)
        if not scale.all():
            raise UndeterminedError("the marks and distances leave the road open")
        _, singular, rows = np.linalg.svd(jacobian / scale, full_matrices=False)
        kept = len(scale) - self._free_directions
        if len(singular) < kept or singular[kept - 1] * _CONDITION_MAX < singular[0]:
            raise UndeterminedError("the marks and distances leave the road open")
        half = rows[:kept] / singular[:kept, None] / scale
        covariance: Array = half.T @ half
        return covariance

    def _plane(self, parameters: Array, covariance: Array) -> GroundPlane:
        """The homography and its covariance in pixels of the frame."""
        homography, _ = _unpacked(parameters)
        of_entries = np.zeros((9, 9))
        of_entries[:_ENTRIES, :_ENTRIES] = covariance
        transform = self._entries_by_entries
        return GroundPlane(homography @ self._from_pixels, transform @ of_entries @ transform.T)

    def _unnoticed(self, jacobian: Array, covariance: Array, redundancies: Array) -> Array:
        """Baarda's external reliability of each observation, on the entries of the plane in pixels."""
        mistakes = NOTICEABLE / np.sqrt(redundancies.clip(_REDUNDANCY_MIN))
        of_entries = jacobian @ covariance[:, :_ENTRIES] * mistakes[:, None]
        effects: Array = of_entries @ self._entries_by_entries[:, :_ENTRIES].T
        return effects

    @property
    def _from_pixels(self) -> Array:
        unit, (x, y) = self._unit_px, self._middle
        return np.array([[1 / unit, 0.0, -x / unit], [0.0, 1 / unit, -y / unit], [0.0, 0.0, 1.0]])

    @property
    def _entries_by_entries(self) -> Array:
        """Derivatives (9, 9) of the homography's entries in pixels by those in our units."""
        return np.asarray(np.kron(np.eye(3), self._from_pixels.T), dtype=np.float64)

    def _of_all(self, of_known: Array) -> Array:
        spread = np.full((len(self._marks), 2), np.nan)
        spread[self._known] = of_known
        return spread


def _unpacked(parameters: Array) -> tuple[Array, Array]:
    homography = np.append(parameters[:_ENTRIES], 1.0).reshape(3, 3)
    return homography, parameters[_ENTRIES:].reshape(-1, 2)
