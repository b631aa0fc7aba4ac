"""What can be wrong with a ledger, a note or a proof."""

from bailee.foundation.errors import Conflict, Error, Unavailable


class ProofInvalid(Error):
    """A proof, a note or a bundle does not verify."""

    code = "proof_invalid"
    status = 422
    title = "The proof does not verify"


class LedgerBroken(Conflict):
    """The stored log contradicts itself; nothing is signed until a person has looked."""

    code = "ledger_broken"
    title = "The ledger does not verify"


class LedgerPending(Unavailable):
    """The event is committed, and its place in the log not yet published."""

    code = "ledger_pending"
    title = "Not yet in the ledger"
