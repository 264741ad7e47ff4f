"""Building blocks of networks: normalisations and minibatch layers."""
