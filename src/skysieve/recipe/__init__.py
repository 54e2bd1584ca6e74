"""The plans that describe a training run; numbers and names only, nothing that runs."""
