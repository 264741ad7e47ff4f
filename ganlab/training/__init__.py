"""How a GAN is trained: the step, the loop, many small ones at once; and Dirac-GAN, the smallest of all."""
