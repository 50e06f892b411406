"""Offline verification of transparent statements, against the three signature checks that it cannot do without."""

from __future__ import annotations

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair

from ledger_sync.proof.verify import verify
from tests.bench.ratio import paired_ratio
from tests.support.city_of_proofs import TRUST, Plan, build

STATEMENTS = 1000


def verification() -> dict[str, float]:
    """Full verification over raw `crypto_sign_open` of statements of the same size, three each."""
    built = build(Plan(count=10_000, log_size=50_000))
    data = built.transparent
    public, secret = crypto_sign_seed_keypair(bytes(range(32)))
    signed = crypto_sign(built.statement, secret)

    def verify_all() -> None:
        for _ in range(STATEMENTS):
            verify(data, TRUST)

    def check_signatures() -> None:
        for _ in range(3 * STATEMENTS):
            crypto_sign_open(signed, public)

    return {"verify_statements_vs_raw": paired_ratio(verify_all, check_signatures)}
