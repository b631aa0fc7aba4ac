"""The values that the API speaks of. Members that this version does not know are passed over."""
