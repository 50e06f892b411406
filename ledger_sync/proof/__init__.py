"""The formats and checks of the proof; runs on the standard library, PyNaCl and cbor2 alone."""
