"""Assurance: the TOM document, the checks that test it, and the evidence they leave.

A measure is green only through a check that ran, in time, and found that it holds. One without a check reads
"not evidenced"; one whose check could not run, or is overdue, reads "unknown".
"""

from bailee.assurance.checks import Facts, Finding, Verdict, check

__all__ = ["Facts", "Finding", "Verdict", "check"]
