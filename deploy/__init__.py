"""What it takes to run imgserve elsewhere, and the proof that it does."""
