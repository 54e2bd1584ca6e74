"""Making scenes with and without lenses, and the images a survey would take of them."""
