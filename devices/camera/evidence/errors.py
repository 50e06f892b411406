"""What evidence can fail with.

EvidenceError              it is not kept, so there must be no event: the message names the place and the mend
└── EvidenceFullError      there is no room for it: the cap is reached, or the disk is full
EvidenceFormatError        bytes that are no evidence of this format
EvidenceKeyError           sealed evidence for which a key is missing
"""

from __future__ import annotations


class EvidenceError(Exception):
    """Evidence could not be kept; nothing half-written remains. The message is one sentence for an operator."""


class EvidenceFullError(EvidenceError):
    """There is no room for more evidence."""


class EvidenceFormatError(Exception):
    """Bytes that are no evidence of this format. The message is one sentence, and quotes nothing of them."""


class EvidenceKeyError(Exception):
    """Sealed evidence for which a key is missing. The message tells whose, and its kid."""
