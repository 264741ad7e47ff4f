"""Measures of what a generator has learned: pure functions of samples, densities and features."""
