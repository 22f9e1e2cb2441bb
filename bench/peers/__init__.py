"""The peers: thumbor and IPX, how each is installed and asked to do the same job."""
