"""Ways to do AI steps: local model files, programs, OpenCV, and services over HTTP."""
