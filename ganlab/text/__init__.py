"""Words and pictures: CLIP, in whose space a sentence and the portrait it fits lie close to each other."""

# How channels are learnt, in `joint` (the first two, at once) or in `directions`; the first is the usual way
HOWS = ("together", "expected", "apart")
