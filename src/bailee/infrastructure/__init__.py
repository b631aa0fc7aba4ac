"""Infrastructure (TOM 5.3): what keeps one customer's data from another, and the probe that tries to get across."""
