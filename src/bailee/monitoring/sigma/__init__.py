"""Sigma rules over a stream of events (TOM 4.2): parsed by pySigma, evaluated here, event by event.

`rules` reads and lints them, `matching` turns a detection into a predicate, `correlation` keeps the windows of counts
and sequences, and `engine` runs everything over events in their order.
"""
