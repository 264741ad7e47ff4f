"""Data to learn: toy densities, points and pictures of the user."""
