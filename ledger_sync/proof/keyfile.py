"""A secret key in a file, Ed25519 or X25519: made once, atomically, mode 0600, and never overwritten.

The file is PEM with the PKCS #8 structure of RFC 8410 section 7, so that `openssl pkey` reads it too.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import enum
import os
import secrets
import stat
from typing import TYPE_CHECKING

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from .cose import SIGNATURE_BYTES, key_id, thumbprint
from .durable import sync_directory

if TYPE_CHECKING:
    from pathlib import Path

SEED_BYTES = 32
_FILE_BYTES_MAX = 4096
# OneAsymmetricKey version 0, the algorithm 1.3.101.x, then the key as an OCTET STRING in an OCTET STRING.
_PKCS8 = "302e020100300506032b65{:02x}04220420"
_BEGIN, _END = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"


class Algorithm(enum.IntEnum):
    """What a key is for, by the last arc of its object identifier (RFC 8410 section 3)."""

    X25519 = 110
    ED25519 = 112

    @property
    def prefix(self) -> bytes:
        """What stands before a key of 32 bytes in the file's structure."""
        return bytes.fromhex(_PKCS8.format(self))


class KeyFileError(Exception):
    """A key file that cannot be made or used; the message names the file and the mend."""


class SecretKey:
    """An Ed25519 key that signs; `public_key` is its 32 bytes. The seed shows in no representation."""

    __slots__ = ("_pair", "public_key")

    def __init__(self, seed: bytes) -> None:
        self.public_key: bytes
        self.public_key, self._pair = crypto_sign_seed_keypair(seed)

    @property
    def kid(self) -> bytes:
        """The 8-byte kid of its signatures."""
        return key_id(self.public_key)

    @property
    def fingerprint(self) -> str:
        """The RFC 9679 SHA-256 thumbprint in hex; its first 16 digits are the kid."""
        return thumbprint(self.public_key).hex()

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of `message` (RFC 8032, pure Ed25519)."""
        signature: bytes = crypto_sign(message, self._pair)[:SIGNATURE_BYTES]
        return signature

    def __repr__(self) -> str:
        return f"SecretKey({self.fingerprint[:16]})"


def make_key(path: Path, algorithm: Algorithm = Algorithm.ED25519) -> bool:
    """Make a new key at `path` (and its folder, mode 0700); False when there is a file already, which stays as it is.

    Durable on return. Raises KeyFileError.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _create(path, _encode(secrets.token_bytes(SEED_BYTES), algorithm))
    except OSError as error:
        sentence = f"{path}: no key can be made here ({error.strerror}); see that its folder is writable"
        raise KeyFileError(sentence) from error


def _create(path: Path, content: bytes) -> bool:
    """Write `content` beside `path`, then link it there: a crash leaves no file, or the whole one.

    A link fails where a rename would overwrite. What a crash leaves of the other name is a key that nobody used.
    """
    if path.exists():
        return False
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    sync_directory(path.parent)
    return True


def load_key(path: Path) -> SecretKey:
    """The Ed25519 key in the file at `path`. Raises KeyFileError like `load_secret`."""
    return SecretKey(load_secret(path, Algorithm.ED25519))


def load_secret(path: Path, algorithm: Algorithm) -> bytes:
    """The 32 bytes of the secret key in the file at `path`.

    Raises KeyFileError when it is missing, unreadable, readable by others, or no key of this algorithm.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            raw = file.read(_FILE_BYTES_MAX)
    except FileNotFoundError as error:
        raise KeyFileError(f"{path}: there is no key; make one with `init`") from error
    except OSError as error:
        raise KeyFileError(f"{path}: the key cannot be read ({error.strerror})") from error
    if mode & 0o077:
        raise KeyFileError(f"{path}: the key is open to other users (mode {mode:04o}); run: chmod 600 {path}")
    secret = _decode(raw, algorithm)
    if secret is None:
        name = algorithm.name.title()
        raise KeyFileError(f"{path}: is no {name} private key in PEM; restore it, or move it away and make a new one")
    return secret


def _encode(secret: bytes, algorithm: Algorithm) -> bytes:
    body = base64.b64encode(algorithm.prefix + secret).decode()
    return f"{_BEGIN}\n{body}\n{_END}\n".encode()


def _decode(pem: bytes, algorithm: Algorithm) -> bytes | None:
    try:
        lines = pem.decode("ascii").split()
        der = base64.b64decode("".join(lines[3:-3]), validate=True)
    except (UnicodeDecodeError, binascii.Error):
        return None
    framed = " ".join(lines[:3]) == _BEGIN and " ".join(lines[-3:]) == _END
    if not framed or len(der) != len(algorithm.prefix) + SEED_BYTES or not der.startswith(algorithm.prefix):
        return None
    return der.removeprefix(algorithm.prefix)
