"""Sealed evidence on its way from the gateway to the authority, and its opening there.

    gateway     local.py (folders), statement.py (its event), upload.py (one set), uploader.py (all of them)
    both        messages.py (what goes over the broker beside the sealed bytes)
    authority   shelf.py (what it keeps), receiving.py (what may enter), service.py (`wayside authority run`)
    office      opening.py (verify and decrypt), page.py (what a person sees)

The gateway leads: it offers, and repeats the offer until the authority has signed that it keeps the evidence. So
neither side needs to remember an exchange, and the broker may lose, double or alter whatever it likes.
"""
