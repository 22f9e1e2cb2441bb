"""imgserve: an image transformation server that turns signed URLs into images."""

import os

__version__ = "0.1.0"

# libvips reads it when it is loaded: no line on stderr for each row of a broken picture. It has to be set before
# anything imports pyvips, whose own handler for these messages must not run (see engine.libvips).
os.environ.setdefault("VIPS_WARNING", "1")
