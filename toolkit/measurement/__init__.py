"""A dataset and this machine in; rates, each beside its ceiling, out."""
