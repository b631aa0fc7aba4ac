"""Each operation of the API, once: functions from arguments to `Call` values."""
