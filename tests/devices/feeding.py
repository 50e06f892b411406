from devices.contract.feeding import pieces, send, take

__all__ = ["pieces", "send", "take"]
