"""`wayside camera calibrate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.camera_view import NEEDED, add_view
from edge.cli.exits import DONE, FAILS, CannotTryError, add_noun, add_verb, print_json, print_line
from ledger_sync.proof.report import printable

if TYPE_CHECKING:
    import asyncio

    from devices.camera.calibration.calibration import Reviewed
    from devices.camera.calibration.view_reference import ViewReference
    from devices.camera.frame import Image

_PORT_MAX = 65535


def add_verbs(verbs: Any) -> None:
    """Add this room's verbs."""
    camera = add_noun(
        verbs,
        "camera",
        summary="set up a traffic camera",
        example="  wayside camera calibrate --calibration junction.toml --frame frame.png --page",
    )
    calibrate = add_verb(
        camera,
        "calibrate",
        _calibrate,
        summary="judge a camera's calibration; draw it over a frame; make it on a local page; confirm the view",
        example="  wayside camera calibrate --calibration junction.toml\n"
        "  wayside camera calibrate --calibration junction.toml --frame frame.png --picture grid.png\n"
        "  wayside camera calibrate --calibration junction.toml --frame rtsp://10.0.0.7/main --page\n"
        "  wayside camera calibrate --calibration junction.toml --frame rtsp://10.0.0.7/sub --confirm",
    )
    calibrate.add_argument(
        "--calibration", type=Path, required=True, metavar="FILE", help="the calibration (TOML); --page makes it"
    )
    calibrate.add_argument("--frame", metavar="PLACE", help="a picture, a video, or a camera's URL")
    calibrate.add_argument("--credentials-file", type=Path, metavar="FILE", help="user:password for that URL")
    calibrate.add_argument("--picture", type=Path, metavar="FILE", help="write the frame with grid, marks and lanes")
    calibrate.add_argument("--page", action="store_true", help="click marks and lines in a browser on this machine")
    calibrate.add_argument(
        "--port", type=_port, default=0, metavar="N", help="the page's port; any free one if not named"
    )
    calibrate.add_argument(
        "--confirm",
        action="store_true",
        help="the picture with the grid was looked at, and is right: keep this view (FILE's name with .view), by which "
        "the gateway tells when the camera is moved",
    )
    add_view(camera)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text[:6]) <= _PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give 1 to {_PORT_MAX}")
    return int(text)


def _calibrate(options: argparse.Namespace) -> int:
    for name in ("picture", "page", "confirm"):
        if getattr(options, name) and options.frame is None:
            raise CannotTryError(f"--{name} needs a frame; name a picture, a video or a camera with --frame")
    try:
        import cv2
    except ImportError as error:
        raise CannotTryError(NEEDED) from error
    cv2.setNumThreads(1)
    if options.page:
        return _serve(options)
    if options.calibration.is_fifo():
        raise CannotTryError(f"{printable(str(options.calibration))}: is a pipe; name a TOML file")
    with options.calibration.open("rb"):  # what cannot be read cannot be tried; what is in it can fail
        pass
    return _judge(options)


def _judge(options: argparse.Namespace) -> int:
    from devices.camera.calibration.calibration import review_calibration
    from devices.camera.calibration.confirmation import NotConfirmableError
    from devices.camera.calibration.report import report
    from ledger_sync.proof.settings import SettingsError

    told: dict[str, Any] = {"problems": []}
    try:
        reviewed = review_calibration(options.calibration)
        told |= report(reviewed)
        if options.picture:
            _draw(options, reviewed)
        elif options.frame and not options.confirm:
            _frame_of(options, reviewed)
        if options.confirm:
            told |= _confirm(options, reviewed)
    except SettingsError as error:
        told["problems"] = list(error.problems)
    except NotConfirmableError as error:
        told["problems"] = [f"view: {error}"]
    if options.json:
        print_json(told)
    else:
        _print(told)
    return FAILS if told["problems"] else DONE


def _first_frame(options: argparse.Namespace) -> Image:
    from devices.camera.calibration.frames import first_frame
    from devices.camera.source.errors import SourceError

    try:
        return first_frame(options.frame, options.credentials_file)
    except SourceError as error:
        raise CannotTryError(f"--frame: {error}") from error


def _frame_of(options: argparse.Namespace, reviewed: Reviewed) -> Image:
    """The frame, of the calibration's size."""
    frame = _first_frame(options)
    calibration, (height, width) = reviewed.calibration, frame.shape[:2]
    if (width, height) != (calibration.width_px, calibration.height_px):
        raise CannotTryError(
            f"--frame: is {width}x{height}, the calibration is for {calibration.width_px}x{calibration.height_px}; "
            "give a frame of that size"
        )
    return frame


def _draw(options: argparse.Namespace, reviewed: Reviewed) -> None:
    import cv2

    from devices.camera.calibration.report import overlay

    is_encoded, encoded = cv2.imencode(".png", overlay(_frame_of(options, reviewed), reviewed))
    assert is_encoded
    options.picture.write_bytes(encoded.tobytes())


def _confirm(options: argparse.Namespace, reviewed: Reviewed) -> dict[str, Any]:
    """Keep the view as it is now; tells where, and how far it has moved since it was kept last."""
    from devices.camera.calibration.confirmation import (
        FRAMES,
        FRAMES_APART_S,
        at_view_size,
        confirm_view,
        displacement_px,
    )
    from devices.camera.calibration.frames import frames
    from devices.camera.calibration.view_reference import view_file
    from devices.camera.source.errors import SourceError

    path = view_file(options.calibration)
    before = _last_confirmed(options.calibration)
    try:
        seen = at_view_size(frames(options.frame, options.credentials_file, count=FRAMES, apart_s=FRAMES_APART_S))
    except SourceError as error:
        raise CannotTryError(f"--frame: {error}") from error
    confirm_view(seen, reviewed.calibration.sha256).save(path)
    moved_px = None if before is None else displacement_px(before, seen)
    return {"view": str(path), "was_confirmed": before is not None, "moved_px": moved_px and round(moved_px, 2)}


def _last_confirmed(calibration: Path) -> ViewReference | None:
    from devices.camera.calibration.view_reference import last_reference
    from ledger_sync.proof.settings import SettingsError

    try:
        return last_reference(calibration)
    except SettingsError:  # there is none, or one that cannot be read, which the new one replaces
        return None


def _serve(options: argparse.Namespace) -> int:
    import threading

    from devices.camera.calibration.page.server import PageServer
    from edge.cli.running import run_until_signal

    with PageServer(options.calibration, _first_frame(options), options.port) as server:
        if options.json:
            print_json({"url": server.url})
        else:
            print_line(f"open {server.url}\nin a browser on this machine; Ctrl-C ends it")
        sys.stdout.flush()

        async def serve(stop: asyncio.Event) -> None:
            thread = threading.Thread(target=server.serve_forever, name="page")
            thread.start()
            await stop.wait()
            server.shutdown()
            thread.join()

        run_until_signal(serve)
    return DONE


def _print(told: dict[str, Any]) -> None:
    for problem in told["problems"]:
        print_line(printable(f"wrong: {problem}"))
    if "sha256" not in told:
        return
    survey = told["survey"]
    if survey:
        _print_survey(survey)
    else:
        print_line("no survey: this camera counts, and measures no speed")
    for lane in told["lanes"]:
        zone = lane["speed_zone"]
        of_zone = f", speed zone {zone['length_m']:.2f} m ± {zone['uncertainty_m']:.2f} m" if zone else ""
        print_line(f"lane {lane['id']}: {', '.join(lane['lines']) or 'no line'}{of_zone}")
    print_line(f"sha256 {told['sha256']}")
    if "view" in told:
        print_line(printable(f"view confirmed: {told['view']}; {_moved(told)}"))


def _moved(told: dict[str, Any]) -> str:
    if not told["was_confirmed"]:
        return "it was not confirmed before"
    if told["moved_px"] is None:
        return "how far it has moved since it was confirmed last cannot be seen"
    return f"it has moved by {told['moved_px']:.1f} px (of a frame 640 px wide) since it was confirmed last"


def _print_survey(survey: dict[str, Any]) -> None:
    longest = survey["longest"]
    print_line(
        f"surveyed {survey['date']}; chi-squared {survey['chi_squared']:.1f}, freedom {survey['degrees_of_freedom']}"
    )
    print_line(
        printable(
            f"{longest['from']} to {longest['to']}: {longest['length_m']:.2f} m ± {longest['uncertainty_m']:.2f} m "
            f"(k = 2); a mistake that nothing shows changes it by {longest['unnoticed_m']:.2f} m at most"
        )
    )
    print_line("mark              off px   off m")
    for mark in survey["marks"]:
        off_m = "      -" if mark["residual_m"] is None else f"{mark['residual_m']:7.3f}"
        print_line(printable(f"{mark['name']:<16}{mark['residual_px']:8.2f} {off_m}"))
    print_line("distance                metres   off m   noticed from m")
    for one in survey["distances"]:
        ends = f"{one['from']} to {one['to']}"
        print_line(printable(f"{ends:<20}{one['metres']:10.3f} {one['residual_m']:+7.3f} {one['noticeable_m']:16.3f}"))
