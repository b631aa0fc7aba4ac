"""The whole surface of the clients, by name. What each operation does stands where it is built."""

from bailee.client.binding import Batch, Group, Operation, Paged, Streamed
from bailee.client.calls import batches, collections, events, files, keys, ledger, records, staff, subjects, tenants


class Collections[R](Group[R]):
    """`client.collections`: what kinds of records there are."""

    put = Operation(collections.put)
    get = Operation(collections.get)
    list = Paged(collections.every)
    versions = Paged(collections.versions)
    delete = Operation(collections.delete)


class Records[R](Group[R]):
    """`client.records`: records, one at a time or by the thousand."""

    create = Operation(records.create)
    get = Operation(records.get)
    replace = Operation(records.replace)
    patch = Operation(records.patch)
    delete = Operation(records.delete)
    search = Paged(records.search)
    page = Operation(records.page)
    batch_write = Batch(batches.write)
    batch_read = Batch(batches.read)


class Subjects[R](Group[R]):
    """`client.subjects`: all that is held about a person."""

    get = Operation(subjects.get)
    page = Operation(subjects.page)
    erase = Operation(subjects.erase)


class Files[R](Group[R]):
    """`client.files`: files, streamed."""

    put = Operation(files.put)
    get = Streamed(files.get)
    download = Operation(files.download)
    head = Operation(files.head)
    delete = Operation(files.delete)
    list = Paged(files.every)


class Events[R](Group[R]):
    """`client.events`: security events."""

    list = Paged(events.every_event)
    page = Operation(events.event_page)


class Measures[R](Group[R]):
    """`client.measures`: what is promised, and whether it holds."""

    report = Operation(events.report)
    get = Operation(events.measure)


class Keys[R](Group[R]):
    """`client.keys`: the API keys of the caller's tenant."""

    list = Paged(keys.every)
    create = Operation(keys.create)
    revoke = Operation(keys.revoke)


class TenantKeys[R](Group[R]):
    """`client.tenants.keys`: the API keys of any tenant, for staff."""

    list = Paged(keys.every_of)
    create = Operation(keys.create_for)
    revoke = Operation(keys.revoke_of)


class Tenants[R](Group[R]):
    """`client.tenants`: all tenants, for staff; `own` is for a tenant's API key."""

    own = Operation(tenants.own)
    list = Paged(tenants.every)
    create = Operation(tenants.create)
    get = Operation(tenants.get)
    change = Operation(tenants.change)
    suspend = Operation(tenants.suspend)
    resume = Operation(tenants.resume)
    terminate = Operation(tenants.terminate)
    close = Operation(tenants.close)
    rotate_key = Operation(tenants.rotate_key)
    collections = Paged(tenants.collections)

    def __init__(self, runner: R) -> None:
        super().__init__(runner)
        self.keys = TenantKeys(runner)


class Sessions[R](Group[R]):
    """`client.session`: staff sign-in."""

    sign_in = Operation(staff.sign_in)
    get = Operation(staff.session)
    sign_out = Operation(staff.sign_out)


class Setup[R](Group[R]):
    """`client.setup`: the first account of a new installation."""

    start = Operation(staff.start_setup)
    confirm = Operation(staff.confirm_setup)


class Ledger[R](Group[R]):
    """`client.ledger`: evidence."""

    proof = Operation(ledger.proof)
    bundle = Operation(ledger.bundle)
    checkpoint = Operation(ledger.checkpoint)
    keys = Operation(ledger.keys)


class Surface[R](Group[R]):
    """What a client offers."""

    health = Operation(ledger.health)

    def __init__(self, runner: R) -> None:
        super().__init__(runner)
        self.collections = Collections(runner)
        self.records = Records(runner)
        self.subjects = Subjects(runner)
        self.files = Files(runner)
        self.events = Events(runner)
        self.measures = Measures(runner)
        self.keys = Keys(runner)
        self.tenants = Tenants(runner)
        self.session = Sessions(runner)
        self.setup = Setup(runner)
        self.ledger = Ledger(runner)
