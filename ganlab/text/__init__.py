"""Words and pictures: CLIP, in whose space a sentence and the portrait it fits lie close to each other."""

HOWS = ("together", "apart")  # how channels are learnt, in `joint` or in `directions`; the first is the usual way
