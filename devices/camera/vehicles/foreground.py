"""What in a frame is not the road: background subtraction that survives auto-exposure and standing traffic.

Mixture of Gaussians with shadow detection: Z. Zivkovic, F. van der Heijden, Efficient adaptive density estimation per
image pixel for the task of background subtraction, Pattern Recognition Letters 27 (2006), as OpenCV's MOG2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from devices.camera.vehicles.exposure import Exposure
from devices.camera.vehicles.ghosts import ghosts
from devices.camera.vehicles.road_picture import WIDTH_PX as ROAD_WIDTH_PX
from devices.camera.vehicles.road_picture import RoadPicture
from devices.camera.vehicles.steady import Steady
from devices.camera.vehicles.texture import DARK_CURRENT, likeness

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from devices.camera.frame import Image
    from devices.camera.vehicles.extent import Extent

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.uint8]
    """Height x width; 255 where something is, else 0."""

_LEARNING_INTERVAL_US = 250_000
_TIME_CONSTANT_S = 40.0
"""What stands and is not held becomes road after about a tenth of it (MOG2's background ratio is 0.9)."""
_STANDING_MAX_S = 20.0
"""What is no known vehicle and does not go away for so long is learnt as road."""
_GHOST_MIN_S = 1.0
"""What stands out from the background and does not move for so long may be a vehicle that was there before."""
_ROAD_KNOWN_LESSONS, _BEGINNING_LESSONS = 12, 120
"""Three seconds, and half a minute."""
_AT_ONCE = 0.99
"""At a learning rate of 1 MOG2 begins anew everywhere, whatever is masked."""
_CHANGED_SHARE_MAX = 0.6
"""No traffic covers more of a frame: beyond it the light or the view has changed."""
_CHANGED_MAX_US = 2_000_000
_FOREGROUND, _SHADOW = 255, 127
_VARIANCE_THRESHOLD = 20.0
"""Squared Mahalanobis distance from the background; noise of the normalised frame stays below."""
_OUTLINE_MIN = 0.17
"""Slope of the logarithm of that ratio, a pixel."""
_LIT_MIN = 0.05
_LIKE_MIN = 0.3
"""Correlation with the road's texture: streaks of rain lower it, and on a vehicle it is about 0."""
_BRIGHT_MIN = 0.15
_VOTES_MIN = 0.45
"""Of the 25 pixels around: what is thinner than half of them, such as rain, is nothing."""
_NIGHT_MAX, _DIM_MAX, _LAMPS_MAX = 50, 80, 90
"""Median grey level of the road and what is around it: lamps outshine the rest of the light below the second, and do
not show on the road beyond the third."""
_KERNEL = np.ones((5, 5), np.uint8)
_WEIGHTS = np.zeros(256, np.float32)
_WEIGHTS[_FOREGROUND], _WEIGHTS[_SHADOW] = 1.0, 0.3


class Foreground:
    """What is road in one view; its masks are `width_px` by `height_px`."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._width_px, self._height_px = width_px, height_px
        self._road = RoadPicture()
        self._image: Image | None = None
        self._exposure = Exposure()
        self._steady = Steady()
        self._is_night = self._is_dim = self._shows_lamps = False
        self._model = _new_model()
        self._background: Image | None = None
        self._normalised: Image | None = None
        self._found: Mask | None = None
        self._road_seen = np.zeros((height_px, width_px), np.bool_)
        self._standing_s = np.zeros((height_px, width_px), np.float32)
        self._learnt_us = 0
        self._lessons = 0
        self._changed_since_us: int | None = None

    def begin_epoch(self) -> None:
        """Presentation times begin anew; the view is the same."""
        self._learnt_us = 0
        self._changed_since_us = None
        self._steady.begin_epoch()

    @property
    def normalised(self) -> Image:
        """The newest image at the mask's size, in the exposure of the background."""
        assert self._normalised is not None
        return self._normalised

    @property
    def is_dim(self) -> bool:
        """Whether lamps outshine the rest of the light in the newest image."""
        return self._is_dim

    @property
    def shows_lamps(self) -> bool:
        """Whether vehicles' lamps stand out from the light in the newest image."""
        return self._shows_lamps

    @property
    def image(self) -> Image:
        """The newest image, as it came, no wider than contact points are measured at."""
        assert self._image is not None
        return self._image

    @property
    def road_seen(self) -> npt.NDArray[np.bool_]:
        """Where the newest mask closes over what shows road, or a shadow on it: between one vehicle and the next."""
        return self._road_seen

    def difference(self, columns: Array, rows: Array) -> Array | None:
        """How far the newest image is from the road at pixels of the mask; None where that is not known."""
        assert self._image is not None
        across, down = self._image.shape[1] / self._width_px, self._image.shape[0] / self._height_px
        return self._road.differences(self._image, self._exposure.gain, columns * across, rows * down)

    def mask(self, frame: Image, presentation_us: int) -> Mask | None:
        """Where something stands or moves that is no shadow; None while nothing can be told.

        That is in the first image of a view, and while the whole view changes, such as at a switch to infra-red.
        """
        self._image = _shrunk(frame, ROAD_WIDTH_PX, round(ROAD_WIDTH_PX * frame.shape[0] / frame.shape[1]))
        image = _shrunk(self._image, self._width_px, self._height_px)
        if self._background is None:
            self._restart(image, presentation_us)
            return None
        self._normalised = self._exposure.undone(image, self._background)
        known = np.asarray(cv2.cvtColor(self._background, cv2.COLOR_BGR2GRAY), np.uint8)
        brightness = float(np.median(known[::4, ::4]))
        classes = self._model.apply(self._normalised, learningRate=0)
        if np.count_nonzero(classes == _FOREGROUND) > _CHANGED_SHARE_MAX * classes.size:
            if self._changed_since_us is None:
                self._changed_since_us = presentation_us
            elif presentation_us - self._changed_since_us > _CHANGED_MAX_US:
                self._restart(image, presentation_us)
            return None
        self._changed_since_us = None
        self._is_night, self._is_dim = brightness < _NIGHT_MAX, brightness < _DIM_MAX
        self._shows_lamps = brightness < _LAMPS_MAX
        votes = self._votes(classes, known, brightness)
        # By lamplight a dark vehicle has gaps like these in itself.
        self._road_seen = (cv2.boxFilter(votes, -1, (5, 1)) < _VOTES_MIN) & (brightness >= _DIM_MAX)
        self._found = self._steady.taken(_filled(cv2.boxFilter(votes, -1, (5, 5)) > _VOTES_MIN), presentation_us)
        return self._found

    def _votes(self, classes: npt.NDArray[Any], known: Image, brightness: float) -> npt.NDArray[np.float32]:
        """How much each pixel speaks for a vehicle, 0 to 1, from the classes that MOG2 gives it.

        Light of lamps on the road is brighter than the road and has no outline, as a plain roof has none, but it shows
        the road's texture; a shadow's outline is nowhere brighter than the road; by night, when there are no shadows, a
        dark vehicle differs from the road in its outline only.
        """
        assert self._normalised is not None
        seen = cv2.cvtColor(self._normalised, cv2.COLOR_BGR2GRAY)
        brighter = cv2.log((seen + DARK_CURRENT) / (known + DARK_CURRENT))
        brighter = cv2.GaussianBlur(brighter, (3, 3), 0)
        across = cv2.Sobel(brighter, cv2.CV_32F, 1, 0, scale=1 / 8)
        down = cv2.Sobel(brighter, cv2.CV_32F, 0, 1, scale=1 / 8)
        outline = cv2.magnitude(across, down)
        near_outline = cv2.dilate(outline, _KERNEL) > _OUTLINE_MIN
        votes = _WEIGHTS[classes]
        lit = (brighter > _LIT_MIN) & ~near_outline
        if brightness >= _DIM_MAX:
            # Before the road is known, this would take the shadow that a vehicle of the first image had for light.
            is_told = self._lessons >= _ROAD_KNOWN_LESSONS and brightness < _LAMPS_MAX
            lit &= is_told and likeness(np.asarray(seen, np.uint8), known) > _LIKE_MIN
        votes[lit] = 0.0
        votes[(outline > _OUTLINE_MIN) & (self._is_night | (cv2.dilate(brighter, _KERNEL) > _BRIGHT_MIN))] = 1.0
        return np.asarray(votes, np.float32)

    def marked(self, extents: Iterable[Extent]) -> Mask:
        """The newest mask with these parts as well: of a dark vehicle its lamps may be all that shows."""
        assert self._found is not None
        self._found = self._found.copy()
        for extent in extents:
            self._found[extent.window(*self._found.shape)] = _FOREGROUND
        return self._found

    def learn(self, held: Mask, presentation_us: int) -> None:
        """Learn the newest image as road, but for where `held` is 255; at most every quarter of a second.

        By time and not by frames, so that a camera of 5 frames a second learns as quickly as one of 30.
        """
        elapsed_us = presentation_us - self._learnt_us
        if self._changed_since_us is not None or elapsed_us < _LEARNING_INTERVAL_US:
            return
        assert self._normalised is not None
        assert self._image is not None
        assert self._found is not None
        assert self._background is not None
        elapsed_s = min(elapsed_us / 1e6, 1.0)
        self._lessons += 1
        self._standing_s = np.where(self._found > 0, self._standing_s + np.float32(elapsed_s), np.float32(0.0))
        gone = self._forget_ghosts(self._background)
        young = np.where(self._standing_s > _STANDING_MAX_S, 0, self._found).astype(np.uint8)
        held = np.asarray(cv2.bitwise_or(held, cv2.dilate(young, _KERNEL)), np.uint8)
        # A mean of all there was, until there was enough: the first image may be full of vehicles.
        rate = max(1.0 - np.exp(-elapsed_s / _TIME_CONSTANT_S), 1.0 / (1 + self._lessons))
        self._model.apply(self._normalised, knownForegroundMask=held, learningRate=rate)
        self._background = np.asarray(self._model.getBackgroundImage(), np.uint8)
        self._learnt_us = presentation_us
        vehicles = np.asarray(cv2.bitwise_or(held, self._found), np.uint8)
        self._road.learn(self._image, self._exposure.gain, vehicles, elapsed_s, anew=gone)

    def _forget_ghosts(self, background: Image) -> Mask:
        """Learn at once what the background has wrong; gives where that is.

        By night a dark vehicle has no edges either, so that only what was there at the beginning is looked for.
        """
        assert self._normalised is not None
        assert self._found is not None
        if self._is_night and self._lessons > _BEGINNING_LESSONS:
            return np.zeros_like(self._found)
        gone = ghosts(self._found, self._standing_s >= _GHOST_MIN_S, self._normalised, background)
        if gone.any():
            self._standing_s[gone > 0] = np.float32(0.0)
            self._model.apply(self._normalised, knownForegroundMask=cv2.bitwise_not(gone), learningRate=_AT_ONCE)
        return gone

    def _restart(self, image: Image, presentation_us: int) -> None:
        self._model = _new_model()
        self._model.apply(image, learningRate=1)
        self._background, self._normalised = image, image
        self._road.restart()
        self._standing_s = np.zeros(image.shape[:2], np.float32)
        self._learnt_us, self._lessons = presentation_us, 1
        self._changed_since_us = None


def _new_model() -> cv2.BackgroundSubtractorMOG2:
    return cv2.createBackgroundSubtractorMOG2(varThreshold=_VARIANCE_THRESHOLD, detectShadows=True)


def _filled(found: npt.NDArray[Any]) -> Mask:
    closed = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return np.asarray(cv2.drawContours(closed, contours, -1, _FOREGROUND, cv2.FILLED), np.uint8)


def _shrunk(image: Image, width: int, height: int) -> Image:
    """Of that size, unless it is smaller already."""
    if image.shape[1] <= width:
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
