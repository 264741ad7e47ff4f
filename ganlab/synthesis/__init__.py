"""Recipe to picture, fast: lowered to a style and a noise map per layer, restarted at the first layer that differs."""

from ganlab.synthesis.opening import open_renderer, render
from ganlab.synthesis.renderer import Cancelled, Picture, Renderer
from ganlab.synthesis.store import Memory

__all__ = ["Cancelled", "Memory", "Picture", "Renderer", "open_renderer", "render"]
