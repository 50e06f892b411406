"""The Signer port, and the signer whose key is a file.

A signer takes typed requests and writes the role (typ) itself: whoever holds a Signer can have events and anchors of
this gateway signed, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ledger_sync.proof.anchor import AnchorClaims, make_anchor
from ledger_sync.proof.cose import ISS, SUB, Envelope, Role, protected_header
from ledger_sync.proof.names import issuer

if TYPE_CHECKING:
    from ledger_sync.proof.keyfile import SecretKey


class Signer(Protocol):
    """Signs for one gateway. Called from the journal's writer thread only; deterministic, so a repeat is harmless."""

    @property
    def issuer(self) -> str:
        """The iss claim of everything that is signed: `<city>/<gateway>`."""

    @property
    def public_key(self) -> bytes:
        """32 bytes, Ed25519."""

    def statement(self, device: str, payload: bytes) -> bytes:
        """An event of `device` as a tagged COSE_Sign1."""

    def anchor(self, claims: AnchorClaims, root: bytes) -> bytes:
        """An anchor as a tagged COSE_Sign1."""


class FileSigner:
    """Signs with the key in the identity file. Keeps one prepared envelope for each device."""

    def __init__(self, city: str, gateway: str, key: SecretKey) -> None:
        self.issuer = issuer(city, gateway)
        self.public_key = key.public_key
        self._key = key
        self._kid = key.kid
        self._envelopes: dict[str, Envelope] = {}

    def statement(self, device: str, payload: bytes) -> bytes:
        """See Signer."""
        envelope = self._envelopes.get(device)
        if envelope is None:
            protected = protected_header(Role.EVENT, self._kid, {ISS: self.issuer, SUB: device})
            envelope = self._envelopes[device] = Envelope(protected, self._key.sign)
        return envelope.seal(payload)

    def anchor(self, claims: AnchorClaims, root: bytes) -> bytes:
        """See Signer."""
        return make_anchor(claims, root, self._kid, self._key.sign)
