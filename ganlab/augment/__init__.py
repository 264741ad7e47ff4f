"""Augmentations that D sees instead of the images themselves, differentiable, so that G learns through them."""
