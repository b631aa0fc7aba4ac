"""SQL of monitoring: the stream of events, alerts, what is familiar, and what the checks look at."""
