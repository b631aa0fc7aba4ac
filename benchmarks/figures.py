"""What a benchmark says."""

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One thing measured against its baseline, per second. `limit` is what the ratio is held to, in words."""

    name: str
    rate: float
    against: str
    baseline: float
    limit: str = ""

    @property
    def ratio(self) -> float:
        return self.rate / self.baseline
