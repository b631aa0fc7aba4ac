"""Events on their way to the operator's SIEM: as OCSF, in the ledger's order, each one once."""
