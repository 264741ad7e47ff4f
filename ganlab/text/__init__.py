"""Words and pictures: CLIP, in whose space a sentence and the portrait it fits lie close to each other."""
