"""What lies beside an event of a camera: made, sealed, and written before its event is recorded.

    pictures, plate, track → sets (bytes) → sealed (for whom it may concern) → a folder with manifest and reading

The bytes are in FORMAT.md, what they are for in ../EVIDENCE.md. Needs neither NumPy nor OpenCV: a picture is JPEG or
PNG bytes here, so that gateways and authorities without a camera read it, too.
"""
