"""Latent space: sampling, interpolation, directions, uploads."""
