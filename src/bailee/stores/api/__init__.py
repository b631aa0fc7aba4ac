"""The vault over REST."""

from litestar import Router

from bailee.stores.api.batch import batch_read, batch_write
from bailee.stores.api.collections import (
    define_collection,
    delete_collection,
    get_collection,
    list_collections,
    list_tenant_collections,
    list_versions,
)
from bailee.stores.api.files import delete_file, get_file, head_file, list_files, store_file
from bailee.stores.api.records import (
    create_record,
    delete_record,
    get_record,
    list_records,
    patch_record,
    replace_record,
)
from bailee.stores.api.subjects import erase_subject, view_subject

collections = Router(
    "/",
    route_handlers=[
        list_collections, get_collection, list_versions, define_collection, delete_collection, list_tenant_collections,
    ],
    tags=["Collections"],
)  # fmt: skip
records = Router(
    "/collections/{name:str}/records",
    route_handlers=[
        create_record, list_records, get_record, replace_record, patch_record, delete_record, batch_write, batch_read,
    ],
    tags=["Records"],
)  # fmt: skip
subjects = Router("/subjects", route_handlers=[view_subject, erase_subject], tags=["Subjects"])
files = Router("/files", route_handlers=[store_file, get_file, head_file, delete_file, list_files], tags=["Files"])

routers = [collections, records, subjects, files]
