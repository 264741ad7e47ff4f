"""One file per family of networks, readable top to bottom."""
