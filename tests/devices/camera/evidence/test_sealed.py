from __future__ import annotations

import itertools

import pytest
from nacl.public import PrivateKey, SealedBox
from nacl.secret import SecretBox

from devices.camera.evidence.errors import EvidenceFormatError, EvidenceKeyError
from devices.camera.evidence.sealed import HEADER_BYTES_MAX, open_sealed, parse_sealed, seal
from tests.support.violation import KEYS, OVERSIGHT, TRAFFIC

BOTH = list(KEYS.items())
CLEAR = b"two people see this together, or nobody"


def test_both_keys_together_open_it() -> None:
    sealed = parse_sealed(seal("raw", CLEAR, BOTH))
    assert (sealed.name, sealed.roles) == ("raw", ("traffic", "oversight"))
    assert open_sealed(sealed, {"traffic": [TRAFFIC], "oversight": [OVERSIGHT]}) == CLEAR


@pytest.mark.parametrize(("role", "key"), [("traffic", TRAFFIC), ("oversight", OVERSIGHT)])
def test_one_key_alone_opens_nothing_and_is_told_which_is_missing(role: str, key: PrivateKey) -> None:
    sealed = parse_sealed(seal("raw", CLEAR, BOTH))
    (other,) = KEYS.keys() - {role}
    with pytest.raises(EvidenceKeyError, match=rf"needs the key [0-9a-f]{{16}} of an authority of the role '{other}'"):
        open_sealed(sealed, {role: [key]})
    # Nor does anything that it could make of its own share, or of any share and key of the file.
    shares = [SealedBox(key).decrypt(share.sealed) for share in sealed.shares if share.role == role]
    guesses = [
        *shares,
        *(
            bytes(a ^ b for a, b in zip(shares[0], share.sealed[n:], strict=False))
            for share in sealed.shares
            for n in (0, 32, 48)
        ),
    ]
    for guess in guesses:
        with pytest.raises(Exception, match=r"Decryption failed"):
            SecretBox(guess).decrypt(sealed.box)


def test_the_shares_of_one_role_are_the_others_to_no_purpose() -> None:
    """The share of two seals of the same content have nothing in common, nor has the content."""
    first, second = (parse_sealed(seal("raw", CLEAR, BOTH)) for _ in range(2))
    with pytest.raises(EvidenceFormatError, match=r"has not the shares of its key"):
        open_sealed(
            type(first)(first.name, (first.shares[0], second.shares[1]), first.box),
            {"traffic": [TRAFFIC], "oversight": [OVERSIGHT]},
        )
    assert first.box != second.box


def test_an_authority_opens_with_the_key_of_its_time() -> None:
    sealed = parse_sealed(seal("working", CLEAR, BOTH[:1]))
    assert open_sealed(sealed, {"traffic": [PrivateKey.generate(), TRAFFIC]}) == CLEAR
    with pytest.raises(EvidenceKeyError, match="'traffic'"):
        open_sealed(sealed, {"traffic": [PrivateKey.generate()]})


def test_no_altered_byte_goes_unnoticed() -> None:
    raw = seal("working", CLEAR, BOTH[:1])
    for place in range(len(raw)):
        altered = raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]
        try:
            opened = open_sealed(parse_sealed(altered), {"traffic": [TRAFFIC]})
        except (EvidenceFormatError, EvidenceKeyError):
            continue
        # Its own name in the header is vouched for by the digest in the manifest, and inside the set.
        assert opened == CLEAR
        assert parse_sealed(altered).name != "working"


def test_what_is_cut_off_or_too_long_is_refused() -> None:
    raw = seal("working", CLEAR, BOTH)
    header = int.from_bytes(raw[16:18], "big")
    for length in itertools.chain(range(18 + header + 40), (0, 15, 17)):
        with pytest.raises(EvidenceFormatError):
            parse_sealed(raw[:length])
    with pytest.raises(EvidenceFormatError):
        parse_sealed(raw[:16] + (HEADER_BYTES_MAX + 1).to_bytes(2, "big") + raw[18:] + bytes(2 * HEADER_BYTES_MAX))
    with pytest.raises(EvidenceFormatError):
        parse_sealed(b"wayside-sealed-2" + raw[16:])
