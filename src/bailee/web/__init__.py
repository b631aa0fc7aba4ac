"""The HTTPS front: the app that assembles every section's API and pages, and what surrounds each request."""
