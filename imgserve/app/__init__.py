"""The composition root: from settings to services, and to the ASGI app in `imgserve.app.main`.

Nothing is imported here: `imgserve serve` needs little of it in the process that only watches.
"""
