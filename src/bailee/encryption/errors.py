"""What can go wrong with keys and ciphertexts."""

from bailee.foundation.errors import ConfigurationError, Error, Unavailable


class DecryptionFailed(Error):
    """A ciphertext is not what was stored here: altered, moved from elsewhere, or of an unknown format."""

    code = "decryption_failed"
    title = "Stored data does not verify"


class KeyDestroyed(Error):
    """The key is gone, and with it everything that was encrypted under it."""

    code = "key_destroyed"
    status = 410
    title = "Erased"


class RootKeyInvalid(ConfigurationError):
    """The root key cannot be read, or is not the one that the keyring was wrapped with."""

    code = "root_key_invalid"


class RootKeyUnavailable(Unavailable):
    """The key provider does not answer."""

    code = "root_key_unavailable"
    title = "The key provider is away"
