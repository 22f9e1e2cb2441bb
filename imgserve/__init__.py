"""imgserve: an image transformation server that turns signed URLs into images."""

__version__ = "0.1.0"
