"""One GET over HTTP to a camera, answered by a stream; with user and password where it asks for them."""

from __future__ import annotations

import base64
import http.client
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from devices.camera.source.errors import SourceError, StreamLostError

if TYPE_CHECKING:
    from devices.camera.source.address import Address
    from devices.camera.source.settings import SourceSettings


def open_http_stream(address: Address, settings: SourceSettings) -> http.client.HTTPResponse:
    """The answer, whose body is still to come.

    Raises StreamLostError if there is none, and SourceError if user and password are refused: asked again and again, a
    camera would lock them out.
    """
    try:
        answer = _get(address, settings, None)
        if answer.status == http.client.UNAUTHORIZED and address.user:
            challenges = answer.headers.get_all("WWW-Authenticate", [])
            answer.close()
            answer = _get(address, settings, _authorization(address, challenges))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise StreamLostError(f"{address.place}: no answer ({type(error).__name__})") from None
    if answer.status != http.client.OK:
        answer.close()
        if answer.status == http.client.UNAUTHORIZED:
            raise SourceError(f"{address.place}: refuses user and password; check the credentials_file")
        raise StreamLostError(f"{address.place}: answers with HTTP status {answer.status}")
    return answer


def _get(address: Address, settings: SourceSettings, authorization: str | None) -> http.client.HTTPResponse:
    parts = urlsplit(address.url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=settings.open_timeout_ms / 1000)
    try:
        connection.connect()
        connection.sock.settimeout(settings.read_timeout_ms / 1000)
        headers = {} if authorization is None else {"Authorization": authorization}
        connection.request("GET", _selector(address), headers=headers)
        return connection.getresponse()
    except (OSError, http.client.HTTPException, ValueError):
        connection.close()
        raise


def _selector(address: Address) -> str:
    return urllib.request.Request(address.url).selector or "/"  # noqa: S310 - http alone comes here


def _authorization(address: Address, challenges: list[str]) -> str | None:
    """The answer to the better of the camera's challenges: Digest (RFC 7616, with MD5 as cameras have it), or Basic."""
    schemes = {scheme.lower(): rest for scheme, _, rest in (one.partition(" ") for one in challenges)}
    if "digest" in schemes:
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, address.url, address.user, address.password)
        given = urllib.request.parse_http_list(schemes["digest"])
        # A parameter without a value would be an IndexError in the standard library.
        asked = urllib.request.parse_keqv_list([one for one in given if one.partition("=")[2]])
        request = urllib.request.Request(address.url)  # noqa: S310 - http alone comes here
        digest = urllib.request.HTTPDigestAuthHandler(passwords).get_authorization(request, asked)
        return None if digest is None else f"Digest {digest}"
    if "basic" in schemes:
        return "Basic " + base64.b64encode(f"{address.user}:{address.password}".encode()).decode("ascii")
    return None
