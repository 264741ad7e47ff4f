"""Fixed feature extractors: what distances between pictures are measured in."""
