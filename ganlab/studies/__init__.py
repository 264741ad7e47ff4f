"""Studies: many runs of a GAN with settings drawn from ranges, made by any number of processes that may be killed.

Lucic et al. 2018, "Are GANs Created Equal?", compared systems so, with 100 random draws each, and Kurach et al. 2019
with Bayesian optimisation. Optuna draws, prunes, and keeps what was found; without it there are no studies.
"""

from ganlab.studies.book import STUDY, Book, opened, read_study
from ganlab.studies.draws import Told, work
from ganlab.studies.settings import Range, StudyConfig, default_ranges

__all__ = ["STUDY", "Book", "Range", "StudyConfig", "Told", "default_ranges", "opened", "read_study", "work"]
