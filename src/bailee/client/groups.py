"""The whole surface of the clients, by name. What each operation does stands where it is built."""

from bailee.client.binding import Batch, Group, Operation, Paged, Streamed
from bailee.client.calls import (
    account,
    alerts,
    backups,
    batches,
    clients,
    collections,
    event_types,
    events,
    federation,
    files,
    holds,
    incidents,
    keys,
    ledger,
    members,
    notices,
    privileges,
    records,
    retention,
    sessions,
    staff,
    subjects,
    support,
    tenants,
    terminations,
    webhooks,
)


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
    report = Operation(event_types.report)


class Measures[R](Group[R]):
    """`client.measures`: what is promised, and whether it holds."""

    report = Operation(events.report)
    get = Operation(events.measure)


class Keys[R](Group[R]):
    """`client.keys`: the API keys of the caller's tenant."""

    list = Paged(keys.every)
    create = Operation(keys.create)
    rotate = Operation(keys.rotate)
    revoke = Operation(keys.revoke)


class TenantKeys[R](Group[R]):
    """`client.tenants.keys`: the API keys of any tenant, for staff."""

    list = Paged(keys.every_of)
    create = Operation(keys.create_for)
    revoke = Operation(keys.revoke_of)


class Tenants[R](Group[R]):
    """`client.tenants`: all tenants, for staff; `own` is for a tenant's keys and members."""

    own = Operation(tenants.own)
    list = Paged(tenants.every)
    create = Operation(tenants.create)
    get = Operation(tenants.get)
    change = Operation(tenants.change)
    suspend = Operation(tenants.suspend)
    resume = Operation(tenants.resume)
    rotate_key = Operation(tenants.rotate_key)
    collections = Paged(tenants.collections)
    invite_owner = Operation(members.invite_owner)

    def __init__(self, runner: R) -> None:
        super().__init__(runner)
        self.keys = TenantKeys(runner)


class Session[R](Group[R]):
    """`client.session`: signing in, and the session of the client's token."""

    sign_in = Operation(sessions.sign_in)
    finish = Operation(sessions.finish)
    get = Operation(sessions.get)
    sign_out = Operation(sessions.sign_out)
    step_up = Operation(sessions.step_up)
    switch_tenant = Operation(sessions.switch_tenant)


class Sessions[R](Group[R]):
    """`client.sessions`: all of the caller's sessions."""

    list = Operation(sessions.every)
    end = Operation(sessions.end)
    end_others = Operation(sessions.end_others)


class Device[R](Group[R]):
    """`client.device`: sign-in of a program, approved in a browser."""

    start = Operation(sessions.start_device)
    poll = Operation(sessions.poll_device)


class Setup[R](Group[R]):
    """`client.setup`: the first account of a new installation."""

    start = Operation(sessions.start_setup)
    confirm = Operation(sessions.confirm_setup)


class Factors[R](Group[R]):
    """`client.account.factors`: the caller's second factors. Passkeys are registered in a browser."""

    get = Operation(account.factors)
    begin_totp = Operation(account.begin_totp)
    confirm_totp = Operation(account.confirm_totp)
    remove_totp = Operation(account.remove_totp)
    rename_passkey = Operation(account.rename_passkey)
    remove_passkey = Operation(account.remove_passkey)
    new_recovery_codes = Operation(account.new_recovery_codes)


class Account[R](Group[R]):
    """`client.account`: the caller's own account."""

    get = Operation(account.get)
    rename = Operation(account.rename)
    tenants = Operation(account.tenants)
    change_password = Operation(account.change_password)

    def __init__(self, runner: R) -> None:
        super().__init__(runner)
        self.factors = Factors(runner)


class Password[R](Group[R]):
    """`client.password`: what somebody does who cannot sign in, with a mailed link."""

    ask_link = Operation(account.ask_password_link)
    reset = Operation(account.reset_password)
    begin_enrolment = Operation(account.begin_enrolment)


class Invitation[R](Group[R]):
    """`client.invitation`: what somebody does who was invited, with the link's token."""

    view = Operation(account.view_invitation)
    accept = Operation(account.accept_invitation)
    join = Operation(account.join)


class StaffInvitations[R](Group[R]):
    """`client.staff.invitations`: who is asked to join the staff."""

    list = Paged(staff.invitations)
    create = Operation(staff.invite)
    withdraw = Operation(staff.withdraw_invitation)


class Staff[R](Group[R]):
    """`client.staff`: the operator's people and their roles."""

    list = Paged(staff.every)
    get = Operation(staff.get)
    find_person = Operation(staff.find_person)
    disable = Operation(staff.disable)
    enable = Operation(staff.enable)
    off_board = Operation(staff.off_board)
    reset_factors = Operation(staff.reset_factors)
    end_sessions = Operation(staff.end_sessions)
    roles = Operation(staff.roles)
    grant = Operation(staff.grant)
    withdraw = Operation(staff.withdraw)
    privileges = Operation(staff.privileges)

    def __init__(self, runner: R) -> None:
        super().__init__(runner)
        self.invitations = StaffInvitations(runner)


class Elevations[R](Group[R]):
    """`client.elevations`: roles held for a time, with a second person's approval."""

    list = Paged(privileges.elevations)
    request = Operation(privileges.request)
    approve = Operation(privileges.approve)
    refuse = Operation(privileges.refuse)
    end = Operation(privileges.end)


class Reviews[R](Group[R]):
    """`client.reviews`: access reviews."""

    list = Paged(privileges.reviews)
    open = Operation(privileges.open_review)
    items = Operation(privileges.items)
    confirm = Operation(privileges.confirm)
    revoke = Operation(privileges.revoke)
    close = Operation(privileges.close)


class BreakGlass[R](Group[R]):
    """`client.break_glass`: the sealed account for emergencies."""

    state = Operation(staff.break_glass)
    seal = Operation(staff.seal)


class MemberInvitations[R](Group[R]):
    """`client.members.invitations`: who is asked to join the tenant."""

    list = Paged(members.invitations)
    create = Operation(members.invite)
    withdraw = Operation(members.withdraw_invitation)


class Members[R](Group[R]):
    """`client.members`: the people of the caller's tenant."""

    list = Paged(members.every)
    get = Operation(members.get)
    change_role = Operation(members.change_role)
    disable = Operation(members.disable)
    enable = Operation(members.enable)
    remove = Operation(members.remove)
    reset_factors = Operation(members.reset_factors)

    def __init__(self, runner: R) -> None:
        super().__init__(runner)
        self.invitations = MemberInvitations(runner)


class Roles[R](Group[R]):
    """`client.roles`: the roles that members of the caller's tenant can have."""

    list = Operation(members.roles)
    define = Operation(members.define_role)
    delete = Operation(members.delete_role)


class Policy[R](Group[R]):
    """`client.policy`: what the caller's tenant demands of its members."""

    get = Operation(members.policy)
    put = Operation(members.put_policy)


class Clients[R](Group[R]):
    """`client.clients`: the OAuth clients of the caller's tenant; for staff, of the operator's own product."""

    list = Paged(clients.every)
    get = Operation(clients.get)
    register = Operation(clients.register)
    change = Operation(clients.change)
    rotate_secret = Operation(clients.rotate_secret)
    revoke = Operation(clients.revoke)


class Alerts[R](Group[R]):
    """`client.alerts`: what the rules have found in the events, and what became of it."""

    list = Paged(alerts.every)
    get = Operation(alerts.get)
    acknowledge = Operation(alerts.acknowledge)
    assign = Operation(alerts.assign)
    close = Operation(alerts.close)
    note = Operation(alerts.note)
    suppress = Operation(alerts.suppress)
    suppressions = Paged(alerts.suppressions)
    end_suppression = Operation(alerts.end_suppression)


class Incidents[R](Group[R]):
    """`client.incidents`: for staff, incidents from the first line to the last lesson."""

    list = Paged(incidents.every)
    get = Operation(incidents.get)
    open = Operation(incidents.open)
    change = Operation(incidents.change)
    assess = Operation(incidents.assess)
    assign = Operation(incidents.assign)
    move = Operation(incidents.move)
    note = Operation(incidents.note)
    add_task = Operation(incidents.add_task)
    complete_task = Operation(incidents.complete_task)
    follow_playbook = Operation(incidents.follow_playbook)
    link_alert = Operation(incidents.link_alert)
    attach = Operation(incidents.attach)
    review = Operation(incidents.review)
    playbooks = Operation(incidents.playbooks)
    verify_breach = Operation(incidents.verify_breach)
    dismiss_breach = Operation(incidents.dismiss_breach)
    trace = Operation(incidents.trace)
    triggers = Operation(incidents.triggers)
    set_trigger = Operation(incidents.set_trigger)
    remove_trigger = Operation(incidents.remove_trigger)
    exercises = Operation(incidents.exercises)
    begin_exercise = Operation(incidents.begin_exercise)
    end_exercise = Operation(incidents.end_exercise)


class Notices[R](Group[R]):
    """`client.notices`: what customers are told of breaches; staff write it, customers read it."""

    list = Paged(notices.every)
    get = Operation(notices.get)
    subjects = Paged(notices.subjects)
    show = Operation(notices.show)
    draft = Operation(notices.draft)
    edit = Operation(notices.edit)
    approve = Operation(notices.approve)
    send = Operation(notices.send)
    discard = Operation(notices.discard)
    edit_all = Operation(notices.edit_all)
    approve_all = Operation(notices.approve_all)
    send_all = Operation(notices.send_all)


class Backups[R](Group[R]):
    """`client.backups`: for staff, backups, who may open them, and rehearsals of restores."""

    list = Paged(backups.every)
    get = Operation(backups.get)
    take = Operation(backups.take)
    verify = Operation(backups.verify)
    points = Operation(backups.points)
    runbook = Operation(backups.runbook)
    make_recovery_key = Operation(backups.make_recovery_key)
    recovery_keys = Operation(backups.recovery_keys)
    releases = Paged(backups.releases)
    request_release = Operation(backups.request_release)
    decide_release = Operation(backups.decide_release)
    drills = Paged(backups.drills)
    drill = Operation(backups.drill)
    get_drill = Operation(backups.get_drill)
    restores = Operation(backups.restores)


class SupportCases[R](Group[R]):
    """`client.support_cases`: what customers let the staff see, and for how long."""

    list = Paged(support.every)
    get = Operation(support.get)
    request = Operation(support.request)
    grant = Operation(support.grant)
    refuse = Operation(support.refuse)
    end = Operation(support.end)
    records = Paged(support.records)
    record = Operation(support.record)


class Webhooks[R](Group[R]):
    """`client.webhooks`: where alerts, notices and support cases are sent to."""

    list = Operation(webhooks.every)
    add = Operation(webhooks.add)
    remove = Operation(webhooks.remove)
    try_out = Operation(webhooks.try_out)
    deliveries = Paged(webhooks.deliveries)
    send_again = Operation(webhooks.send_again)


class EventTypes[R](Group[R]):
    """`client.event_types`: the schemas of the product's own events."""

    list = Operation(event_types.every)
    define = Operation(event_types.define)
    remove = Operation(event_types.remove)


class Domains[R](Group[R]):
    """`client.domains`: the domains that the caller's tenant has proven, or is about to."""

    list = Operation(federation.domains)
    add = Operation(federation.add_domain)
    verify = Operation(federation.verify_domain)
    remove = Operation(federation.remove_domain)


class Sso[R](Group[R]):
    """`client.sso`: the identity provider of the caller's tenant."""

    get = Operation(federation.connection)
    configure = Operation(federation.configure)
    test = Operation(federation.try_out)
    remove = Operation(federation.remove)


class Retention[R](Group[R]):
    """`client.retention`: what rules delete, and their floors and ceilings."""

    preview = Operation(retention.preview)
    run = Operation(retention.run)
    limits = Operation(retention.limits)
    set_floor = Operation(retention.set_floor)
    remove_floor = Operation(retention.remove_floor)
    limits_of = Operation(retention.limits_of)
    set_ceiling = Operation(retention.set_ceiling)
    remove_ceiling = Operation(retention.remove_ceiling)


class Holds[R](Group[R]):
    """`client.holds`: legal holds, and the archive."""

    list = Paged(holds.every)
    get = Operation(holds.get)
    request = Operation(holds.request)
    withdraw = Operation(holds.withdraw)
    approve = Operation(holds.approve)
    refuse = Operation(holds.refuse)
    lift = Operation(holds.lift)
    extend = Operation(holds.extend)
    decide = Operation(holds.decide)
    look = Operation(holds.look)
    open_file = Streamed(holds.open_file)
    waiting = Operation(holds.waiting)
    customers = Paged(holds.customers)
    get_for = Operation(holds.get_for)
    approve_for = Operation(holds.approve_for)
    refuse_for = Operation(holds.refuse_for)
    decide_for = Operation(holds.decide_for)
    lift_for = Operation(holds.lift_for)
    extend_for = Operation(holds.extend_for)
    look_for = Operation(holds.look_for)
    open_file_for = Streamed(holds.open_file_for)


class Terminations[R](Group[R]):
    """`client.terminations`: ends of contracts, the return of data, certificates, the rotation calendar."""

    get_own = Operation(terminations.get_own)
    request_own = Operation(terminations.request_own)
    cancel_own = Operation(terminations.cancel_own)
    export = Streamed(terminations.export)
    list = Operation(terminations.every)
    get = Operation(terminations.get)
    request = Operation(terminations.request)
    cancel = Operation(terminations.cancel)
    close = Operation(terminations.close)
    certificate = Operation(terminations.certificate)
    certificate_pdf = Streamed(terminations.certificate_pdf)
    calendar = Operation(terminations.calendar)
    calendar_of = Operation(terminations.calendar_of)


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
        self.session = Session(runner)
        self.sessions = Sessions(runner)
        self.device = Device(runner)
        self.setup = Setup(runner)
        self.account = Account(runner)
        self.password = Password(runner)
        self.invitation = Invitation(runner)
        self.staff = Staff(runner)
        self.elevations = Elevations(runner)
        self.reviews = Reviews(runner)
        self.break_glass = BreakGlass(runner)
        self.members = Members(runner)
        self.roles = Roles(runner)
        self.policy = Policy(runner)
        self.clients = Clients(runner)
        self.alerts = Alerts(runner)
        self.incidents = Incidents(runner)
        self.notices = Notices(runner)
        self.backups = Backups(runner)
        self.support_cases = SupportCases(runner)
        self.webhooks = Webhooks(runner)
        self.event_types = EventTypes(runner)
        self.domains = Domains(runner)
        self.sso = Sso(runner)
        self.retention = Retention(runner)
        self.holds = Holds(runner)
        self.terminations = Terminations(runner)
        self.ledger = Ledger(runner)
