"""A simulated camera: a rendered road with known truth, served as real cameras serve theirs."""
