"""What the server counts and times, for Prometheus; the one module that knows its client."""
