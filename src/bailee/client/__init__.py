"""The Python client: typed, blocking or asynchronous, and independent of the server's code.

    with Client("https://bailee.example", token) as client:
        record = client.records.create("people", {"email": "ada@example.org"}, subject="ada")
        for found in client.records.search("people", where={"email": "ada@example.org"}):
            ...

`AsyncClient` has the same methods: await those with one result, and use `async for` and
`async with` for the others. `bailee.client.groups` lists them all.
"""

from bailee.client.aio import AsyncDownload, AsyncListing
from bailee.client.clients import AsyncClient, Client
from bailee.client.errors import (
    ApiError,
    BaileeError,
    Conflict,
    ConnectionFailed,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    RateLimited,
    TooLarge,
    Unauthorized,
    Unavailable,
    VersionMismatch,
)
from bailee.client.models.admin import (
    Account,
    ApiKey,
    Bundle,
    CheckStatus,
    CollectionSummary,
    Event,
    Measure,
    Report,
    Session,
    SetupStarted,
    Tenant,
)
from bailee.client.models.base import Page, Reference
from bailee.client.models.data import (
    BatchLine,
    BatchResult,
    Collection,
    Definition,
    ErasureReceipt,
    Field,
    File,
    FileHead,
    LineError,
    MapVersion,
    ReadResult,
    Record,
    SubjectView,
)
from bailee.client.sync import Download, Listing

__all__ = [
    "Account",
    "ApiError",
    "ApiKey",
    "AsyncClient",
    "AsyncDownload",
    "AsyncListing",
    "BaileeError",
    "BatchLine",
    "BatchResult",
    "Bundle",
    "CheckStatus",
    "Client",
    "Collection",
    "CollectionSummary",
    "Conflict",
    "ConnectionFailed",
    "Definition",
    "Download",
    "ErasureReceipt",
    "Event",
    "Field",
    "FieldError",
    "File",
    "FileHead",
    "Forbidden",
    "Invalid",
    "LineError",
    "Listing",
    "MapVersion",
    "Measure",
    "NotFound",
    "Page",
    "Problem",
    "RateLimited",
    "ReadResult",
    "Record",
    "Reference",
    "Report",
    "Session",
    "SetupStarted",
    "SubjectView",
    "Tenant",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "VersionMismatch",
]
