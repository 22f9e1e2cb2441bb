"""The benchmark: this server, a hand-written libvips loop, thumbor and IPX on the same job, interleaved on one core."""
