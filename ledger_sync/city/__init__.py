"""The city ledger: registration, log and receipts."""
