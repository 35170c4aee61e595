"""The Kullback-Leibler divergence of the student's prediction from the teacher's.

Stanton et al., Does Knowledge Distillation Really Work?, arXiv:2106.05945, equation 4.
"""

import numpy as np

from kdjax.evaluation.measures import Column, Prediction, Values, defined

COLUMNS = {"kl": Column("KL, nats", ".4f", "KL of predictions at T = 1.")}


def compare(student: Prediction, teacher: Prediction) -> Values:
    """`kl`: KL(teacher || student) at temperature 1 in nats, the mean over images (and over
    attributes); None where NaN logits enter it."""
    log_s, log_t = student.log_probabilities, teacher.log_probabilities
    return {"kl": defined((np.exp(log_t) * (log_t - log_s)).sum(axis=-1).mean())}
