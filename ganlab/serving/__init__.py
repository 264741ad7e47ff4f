"""What a server needs besides maths: trainer processes, rooms of viewers, limits. No UI toolkit here."""
