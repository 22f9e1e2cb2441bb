"""Sample pictures that the project draws itself, so that a first look needs no download."""
