"""Translate URLs of other image servers into imgserve's: the public interface for programs that move a site.

    from imgserve.migrate import translate

    moved = translate("/unsafe/fit-in/300x200/filters:quality(80)/https://shop.example.com/mug.jpg")
    signer.url(moved.source, *moved.options)

What has no counterpart is named in `moved.dropped`, what does not look quite the same in `moved.differs`.
"""

from imgserve.migrate.dialects import DIALECTS, asks_for_picture, translate
from imgserve.migrate.draft import Note, Translation

__all__ = ["DIALECTS", "Note", "Translation", "asks_for_picture", "translate"]
