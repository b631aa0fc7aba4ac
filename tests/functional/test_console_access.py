"""Access control in the console: the way in, step-up, one's account, staff, a tenant's people, and mailed links."""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from playwright.sync_api import expect

from bailee.access.permissions import SCOPES
from tests.functional.browser import INLINE, TWICE, UNNAMED, Console, age_second_factor, wrong_code
from tests.functional.conftest import Consoles, FreshInstance
from tests.functional.instance import PASSWORD, Demo, Instance, MemberPerson, StaffPerson
from tests.smtp import MailServer, mail_server

pytestmark = [pytest.mark.browser, pytest.mark.functional, pytest.mark.timeout(240)]

_NEW_PASSWORD = "eleven patient otters by the weir"
_LINK = re.compile(r"https://\S+#\S+")


@pytest.fixture(scope="module")
def colleague(demo: Demo) -> StaffPerson:
    """One of the staff, with recovery codes that spare the wait for an app's next code."""
    return demo.invite_staff(["owner"])


@pytest.fixture
def console(consoles: Consoles) -> Console:
    """Nobody's browser yet."""
    return consoles()


# --- sign-in and step-up ------------------------------------------------------------------------------


def test_second_step_refuses_a_wrong_code_and_takes_a_recovery_code_once(
    console: Console, colleague: StaffPerson
) -> None:
    assert colleague.app is not None
    console.go("/sign-in?next=/staff")
    console.show_password(colleague)
    console.sees("heading", "Your second factor")
    assert console.cookie() is None
    console.fill("Code", wrong_code(colleague.app.secret))
    console.press("Continue")
    console.sees("alert", "was not accepted")
    recovery = colleague.recovery_codes.pop()
    console.fill("Code", recovery)
    console.press("Continue")
    console.is_at("/staff")

    console.press("Sign out")
    console.go("/sign-in")
    console.show_password(colleague)
    console.fill("Code", recovery)
    console.press("Continue")
    console.sees("alert", "was not accepted")


def test_sign_in_is_over_after_five_wrong_codes(console: Console, colleague: StaffPerson) -> None:
    console.go("/sign-in")
    console.show_password(colleague)
    for _ in range(5):
        console.fill("Code", "aaaa-aaaa-aaaa-aaaa")
        console.press("Continue")
        console.sees("alert", "was not accepted")
    console.fill("Code", colleague.recovery_codes[-1])
    console.press("Continue")
    console.sees("alert", "This sign-in is over")
    console.sees("heading", "Sign in")


def test_second_step_cannot_be_reached_without_the_first(demo: Demo, colleague: StaffPerson) -> None:
    for pending in ("", "bpd_" + "a" * 60, colleague.token):
        answer = _post(demo, "/sign-in/code", {"pending": pending, "code": "123456", "next": "/"})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert "This sign-in is over" in answer.text


def test_delicate_act_asks_for_the_second_factor_again_and_comes_back(
    consoles: Consoles, demo: Demo, colleague: StaffPerson
) -> None:
    console = consoles(colleague)
    at = f"/staff/{demo.invite_staff(['auditor'], enrol=False).id}"
    token = colleague.token
    age_second_factor(demo, colleague)
    console.go(at)
    expect(console.page.get_by_role("button", name="Grant the role")).to_have_count(0)
    forced = _post(demo, f"{at}/roles", {"role": "support"}, token, referer=f"{demo.base_url}{at}?done=x")
    assert forced.status_code == 303
    assert forced.headers["location"] == f"/step-up?next={at.replace('/', '%2F')}%3Fdone%3Dx"
    for referer in ("https://evil.example/staff", "//evil.example", ""):
        forced = _post(demo, f"{at}/roles", {"role": "support"}, token, referer=referer)
        assert forced.headers["location"] == "/step-up?next=%2F"

    console.page.get_by_role("link", name="Confirm with your second factor to change this").first.click()
    console.sees("heading", "Confirm with your second factor")
    console.fill("Code", "aaaa-aaaa-aaaa-aaaa")
    console.press("Confirm")
    console.sees("alert", "was not accepted")
    console.fill("Code", colleague.recovery_codes.pop())
    console.press("Confirm")
    console.is_at(at)
    console.press("Grant the role")
    console.sees("status", "The role is granted")
    cookie = console.cookie()
    assert cookie is not None
    assert cookie["value"] != token
    assert _get(demo, at, token).status_code == 303  # the token from before the step-up is dead
    colleague.keep(cookie["value"])


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example/"])
def test_step_up_never_leads_to_another_site(demo: Demo, colleague: StaffPerson, target: str) -> None:
    with _client(demo) as http:
        headers = {"Cookie": f"__Host-bailee={colleague.token}"}
        answer = http.get(f"{demo.base_url}/step-up", params={"next": target}, headers=headers)
    assert answer.status_code == 303  # the factor is fresh: straight on
    assert answer.headers["location"] == "/"


# --- one's own account --------------------------------------------------------------------------------


def test_own_name_password_and_sessions(consoles: Consoles, demo: Demo) -> None:
    person = demo.invite_staff(["auditor"])
    console = consoles(person)
    other = consoles()
    other.go("/sign-in")
    other.sign_in(person)
    other.is_at("/toms")

    console.go("/account")
    console.fill("Your name", "   ")
    console.press("Save")
    console.sees("alert", "Give a name")
    console.fill("Your name", "Another Name")
    console.press("Save")
    console.sees("status", "Your name is changed")
    console.press("End the session on Chrome on Linux")
    console.sees("status", "That session has ended")
    other.go("/events")
    assert "/sign-in?next=" in other.page.url  # at once, in every process

    other.sign_in(person)
    other.is_at("/events")
    for old, new, again, fault in (
        ("not my password", _NEW_PASSWORD, _NEW_PASSWORD, "That is not your password"),
        (PASSWORD, _NEW_PASSWORD, _NEW_PASSWORD + "!", "differ"),
        (PASSWORD, "password1", "password1", "password"),
    ):
        console.fill("Present password", old)
        console.fill("New password", new)
        console.fill("New password again", again)
        console.press("Change the password")
        console.sees("alert", fault)
        assert console.page.get_by_label("Present password").input_value() == ""
    console.fill("Present password", PASSWORD)
    console.fill("New password", _NEW_PASSWORD)
    console.fill("New password again", _NEW_PASSWORD)
    console.press("Change the password")
    console.sees("status", "Your password is changed")
    person.password = _NEW_PASSWORD
    other.go("/events")
    assert "/sign-in?next=" in other.page.url

    other.sign_in(person)
    console.go("/account")
    console.press("End all other sessions")
    console.sees("status", "Your other sessions have ended")
    other.go("/events")
    assert "/sign-in?next=" in other.page.url


def test_own_app_is_replaced_and_recovery_codes_are_made_anew(consoles: Consoles, demo: Demo) -> None:
    person = demo.new_member(demo.tenants[1]["id"], "auditor", enrol=False)
    console = consoles(person)
    page = console.page
    console.go("/account/factors")
    console.sees("heading", "Your second factors")
    assert "You have none yet" in page.content()
    console.press("Set up an app")
    secret = page.locator("#totp-secret").inner_text()
    console.fill("Code", wrong_code(secret.replace(" ", "")))
    console.press("Add the app")
    console.sees("alert", "The code is wrong")
    assert page.locator("#totp-secret").inner_text() == secret
    page.get_by_role("link", name="Cancel").click()
    console.enrol_app(person)
    console.is_at("/toms")
    first = list(person.recovery_codes)

    console.go("/account/factors")
    expect(page.locator("#codes-left")).to_contain_text("10 are left")
    console.press("Make new codes in place of these")
    person.recovery_codes = page.locator("#recovery-codes").inner_text().split()
    assert not set(first) & set(person.recovery_codes)
    page.get_by_role("link", name="I have kept them").click()
    age_second_factor(demo, person)
    console.go("/account/factors")
    expect(page.get_by_role("button", name="Remove the app")).to_have_count(0)
    page.get_by_role("link", name="Confirm with your second factor to change this").click()
    console.fill("Code", person.recovery_codes.pop())
    console.press("Confirm")
    console.press("Remove the app")
    console.sees("status", "It is removed")
    assert "You have none yet" in page.content()


# --- customers' people --------------------------------------------------------------------------------


def test_a_customers_person_is_found_by_address_and_helped(
    consoles: Consoles, demo: Demo, colleague: StaffPerson
) -> None:
    person = demo.tenant_owner(demo.new_tenant("Without a factor", ["records:read"])["id"])
    console = consoles(colleague)
    console.go("/people")
    console.fill("E-mail address, as a whole", "nobody@tenant.example")
    console.press("Find")
    console.sees("alert", "No customer’s person")
    console.fill("E-mail address, as a whole", person.email)
    console.press("Find")
    console.sees("heading", "Sample Person")
    expect(console.page.get_by_role("heading", name="Roles")).to_have_count(0)
    console.fill("Reason", "The only owner; called back at the desk.")
    console.press("Reset the second factors")
    console.sees("status", "The second factors are gone")
    expect(console.page.get_by_text("none", exact=True).first).to_be_visible()


# --- staff --------------------------------------------------------------------------------------------


def test_life_of_a_colleague_from_invitation_to_off_boarding(
    consoles: Consoles, demo: Demo, colleague: StaffPerson
) -> None:
    console = consoles(colleague)
    page = console.page
    console.go("/staff/invitations")
    console.fill("Name", "New Colleague")
    console.fill("E-mail", "new.colleague@bailee.example")
    console.press("Send the invitation")
    console.sees("alert", "Choose at least one role")
    assert page.get_by_label("E-mail").input_value() == "new.colleague@bailee.example"
    page.get_by_label("Support").check()
    console.press("Send the invitation")
    link = page.locator("#link").inner_text()  # no mail server is configured here
    page.get_by_role("link", name="I have kept it").click()
    expect(page.locator("tbody tr").first).to_contain_text("open")

    new = consoles()
    person = StaffPerson(demo, "new.colleague@bailee.example")
    new.open_link(link)
    new.sees("heading", "Join the operator’s staff")
    new.fill("Password", PASSWORD)
    new.fill("Password again", PASSWORD)
    new.press("Accept the invitation")
    new.is_at("/account/factors")
    new.sees("status", "Something is missing before you can work here")
    assert new.go("/toms").status == 403  # nothing but enrolling works
    new.sees("heading", "Not permitted")
    new.go("/account/factors")
    new.enrol_app(person)
    new.is_at("/toms")
    expect(new.page.get_by_role("link", name="Staff", exact=True)).to_have_count(0)  # support may not see it
    used = consoles()
    used.open_link(link)
    used.sees("alert", "This link is not valid")

    console.go("/staff?search=new.colleague")
    page.get_by_role("link", name="New Colleague").click()
    at = page.url.removeprefix(demo.base_url)
    page.get_by_label("Role to grant").select_option("auditor")
    console.press("Grant the role")
    console.sees("status", "The role is granted")
    new.go("/staff")
    assert "/sign-in?next=" in new.page.url, "another role begins with another session"
    person.sign_in_anew()
    new.as_person(person)
    new.go("/staff")
    new.sees("heading", "Staff")
    console.press("Withdraw the role Auditor")
    console.sees("status", "The role is withdrawn")
    person.sign_in_anew()
    new.as_person(person)
    assert new.go("/staff").status == 403

    console.press("Disable the account")
    console.sees("status", "The account is disabled")
    new.go("/toms")
    assert "/sign-in?next=" in new.page.url
    console.press("Enable the account")
    console.sees("status", "active again")
    console.fill("Reason", "too short")
    console.press("Reset the second factors")
    console.sees("alert", "10 to 500")
    console.fill("Reason", "The phone was lost on a train; identity checked by video.")
    console.press("Reset the second factors")
    link = page.locator("#link").inner_text()
    new.open_link(link)
    new.fill("Password", "not the password")
    new.press("Continue")
    new.sees("alert", "is wrong")
    new.fill("Password", PASSWORD)
    new.press("Continue")
    new.is_at("/account/factors")
    new.enrol_app(person)
    new.is_at("/toms")

    console.go(at)
    page.get_by_text("Somebody leaves").click()
    console.fill("To confirm, enter the e-mail address", "somebody@else.example")
    console.press("Off-board")
    console.sees("alert", "exactly")
    console.fill("To confirm, enter the e-mail address", person.email)
    console.press("Off-board")
    console.sees("status", "off-boarded")
    new.go("/toms")
    new.show_password(person)
    new.sees("alert", "Sign-in refused")


def test_invitation_is_withdrawn(consoles: Consoles, colleague: StaffPerson) -> None:
    console = consoles(colleague)
    console.go("/staff/invitations")
    console.fill("Name", "Not After All")
    console.fill("E-mail", "not.after.all@bailee.example")
    console.page.get_by_label("Auditor").check()
    console.press("Send the invitation")
    link = console.page.locator("#link").inner_text()
    console.page.get_by_role("link", name="I have kept it").click()
    console.press("Withdraw the invitation of Not After All")
    console.sees("status", "The invitation is withdrawn")
    late = consoles()
    late.open_link(link)
    late.sees("alert", "This link is not valid")


def test_elevation_is_asked_for_decided_by_a_second_person_and_ended(
    consoles: Consoles, demo: Demo, colleague: StaffPerson
) -> None:
    person = demo.invite_staff(["support"])
    console = consoles(person)
    console.go("/elevations")
    console.fill("Reason", "An outage at a customer: the keys have to be looked at.")
    console.page.get_by_label("Role").select_option("infrastructure")
    console.fill("Minutes", "many")
    console.press("Ask for it")
    console.sees("alert", "Enter a whole number")
    assert console.page.get_by_label("Role").input_value() == "infrastructure"
    console.fill("Minutes", "30")
    console.press("Ask for it")
    console.sees("status", "waits for a second person")
    expect(console.page.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)
    assert console.go("/tenants/new").status == 403

    second = consoles(colleague)
    second.go("/elevations")
    second.press(f"Approve {person.email} as Infrastructure")
    second.sees("status", "has begun")
    assert console.go("/tenants/new").status == 200
    console.go("/elevations")
    console.press(f"End {person.email} as Infrastructure")
    console.sees("status", "The elevation is over")
    assert console.go("/tenants/new").status == 403


def test_access_review_is_opened_and_decided(consoles: Consoles, demo: Demo, colleague: StaffPerson) -> None:
    console = consoles(colleague)
    page = console.page
    console.go("/reviews")
    console.fill("Title", "Second quarter")
    console.fill("Due by the end of", "2020-01-01")
    console.press("Open the review")
    console.sees("alert", "3 to 90 days from now")
    console.fill("Due by the end of", f"{datetime.now(UTC) + timedelta(days=14):%Y-%m-%d}")
    console.press("Open the review")
    console.sees("heading", "Second quarter")
    assert page.get_by_role("button", name=re.compile("^Confirm .+ as ")).count() >= 1
    before = page.locator("tbody .status", has_text="confirmed").count()
    page.get_by_role("button", name=re.compile("^Confirm .+ as ")).first.click()
    console.sees("status", "The role is confirmed")
    expect(page.locator("tbody .status", has_text="confirmed")).to_have_count(before + 1)
    console.go("/privileges")
    console.sees("heading", "Privileges")
    assert page.locator("main h2").count() >= 3


def test_break_glass_account_is_sealed_shown_once_and_opens_once(
    consoles: Consoles, demo: Demo, colleague: StaffPerson
) -> None:
    console = consoles(colleague)
    page = console.page
    console.go("/break-glass")
    page.get_by_role("button", name=re.compile("^Seal it")).click()
    sealed = StaffPerson(
        demo, page.get_by_text("break-glass@").inner_text(), page.locator("#sealed-password").inner_text()
    )
    sealed.recovery_codes = page.locator("#sealed-codes").inner_text().split()
    page.get_by_role("link", name="It is in the safe").click()
    assert sealed.password not in page.content()
    expect(page.locator("dl .status")).to_contain_text("sealed")

    emergency = consoles()
    emergency.go("/sign-in")
    emergency.sign_in(sealed)
    emergency.is_at("/toms")
    page.reload()
    expect(page.locator("dl .status")).to_contain_text("opened")
    emergency.press("Sign out")
    emergency.go("/sign-in")
    emergency.show_password(sealed)
    emergency.sees("alert", "Sign-in refused")


def test_script_in_a_colleagues_name_and_reason_is_text(consoles: Consoles, colleague: StaffPerson) -> None:
    evil = "<script>document.title='owned'</script>{{7*7}}\"'"
    console = consoles(colleague)
    console.go("/staff/invitations")
    console.fill("Name", evil)
    console.fill("E-mail", "evil@bailee.example")
    console.page.get_by_label("Support").check()
    console.press("Send the invitation")
    console.page.get_by_role("link", name="I have kept it").click()
    expect(console.page.locator("tbody th").first).to_have_text(evil)
    console.go(f"/staff?search={evil[:20]}")
    assert "owned" not in console.page.title()
    assert console.page.locator("main script").count() == 0


def test_who_is_about_to_be_disabled_unused_is_marked_for_colleagues(
    consoles: Consoles, demo: Demo, colleague: StaffPerson
) -> None:
    """There is no mail server that would tell them."""
    tenant = demo.tenants[0]["id"]
    staff, member = demo.invite_staff(["support"]), demo.new_member(tenant, "viewer", enrol=False)
    demo.sql("UPDATE accounts SET dormancy_warned_at = now() WHERE email = ANY(%s)", ([staff.email, member.email],))
    mine, theirs = consoles(colleague), consoles(demo.tenant_owner(tenant))
    mine.go(f"/staff?search={staff.email}")
    expect(mine.page.locator("tbody tr")).to_contain_text("not used for long: disabled on")
    mine.page.get_by_role("link", name="Sample Person").click()
    expect(mine.page.locator("dl.facts")).to_contain_text("not used for long")
    theirs.go(f"/members?search={member.email}")
    expect(theirs.page.locator("tbody tr")).to_contain_text("not used for long: disabled on")
    mine.go(f"/staff?search={colleague.email}")
    expect(mine.page.locator("tbody tr")).not_to_contain_text("not used for long")


# --- a tenant's people --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clinic(demo: Demo) -> MemberPerson:
    """The owner of a customer on the middle plan."""
    return demo.tenant_owner(demo.tenants[0]["id"])


def test_members_portal_shows_a_member_their_tenant_alone(consoles: Consoles, demo: Demo, clinic: MemberPerson) -> None:
    console = consoles(clinic)
    console.go("/")
    console.is_at("/toms")
    links = console.page.locator("header nav a").all_inner_texts()
    assert {"TOMs", "Members", "Roles", "Policy", "Keys", "Events", "Ledger", "Account"} <= set(links)
    assert not {"Tenants", "Staff", "Elevations", "Reviews"} & set(links)
    foreign = demo.tenants[1]["id"]
    console.go("/events")
    assert foreign not in console.page.content()
    assert console.page.locator("tbody tr").count() > 0
    console.go("/ledger")
    console.sees("heading", "Ledger")
    for path in (f"/tenants/{foreign}", "/tenants", "/staff", "/elevations", f"/tenants/{foreign}/keys"):
        assert console.go(path).status == 403, path
    member = demo.tenant_owner(foreign)
    assert console.go(f"/members/{member.id}").status == 404


def test_first_owner_is_invited_by_staff_and_invites_a_member(
    consoles: Consoles, demo: Demo, colleague: StaffPerson
) -> None:
    tenant = demo.new_tenant("Portal Test", sorted(SCOPES), plan="enterprise")
    staff = consoles(colleague)
    staff.go(f"/tenants/{tenant['id']}")
    staff.page.get_by_role("link", name="First owner").click()
    staff.fill("Name", "Olga Owner")
    staff.fill("E-mail", "olga@portal.example")
    staff.press("Send the invitation")
    link = staff.page.locator("#link").inner_text()

    owner = consoles()
    olga = MemberPerson(demo, "olga@portal.example")
    owner.open_link(link)
    owner.sees("heading", "Join Portal Test")
    owner.fill("Password", "password1")
    owner.fill("Password again", "password1")
    owner.press("Accept the invitation")
    owner.sees("alert", "password")
    assert owner.page.get_by_label("Your name").input_value() == "Olga Owner"
    owner.fill("Password", PASSWORD)
    owner.fill("Password again", PASSWORD)
    owner.press("Accept the invitation")
    owner.is_at("/toms")
    owner.go("/members/invitations")
    owner.page.get_by_role("link", name="Confirm with your second factor to change this").click()
    owner.is_at("/account/factors?next=%2Fmembers%2Finvitations")  # without a factor there is none to confirm with
    owner.enrol_app(olga)
    owner.is_at("/members/invitations")
    owner.page.get_by_label("Role").select_option("viewer")
    owner.fill("Name", "Vera Viewer")
    owner.fill("E-mail", "vera@portal.example")
    owner.press("Send the invitation")
    link = owner.page.locator("#link").inner_text()

    member = consoles()
    member.open_link(link)
    member.fill("Password", PASSWORD)
    member.fill("Password again", PASSWORD)
    member.press("Accept the invitation")
    member.is_at("/account")  # a viewer sees nothing of the console but this
    vera = MemberPerson(demo, "vera@portal.example")

    owner.go("/members?search=vera")
    owner.page.get_by_role("link", name="Vera Viewer").click()
    owner.page.get_by_label("Role").select_option("auditor")
    owner.press("Change the role")
    owner.sees("status", "another role")
    vera.sign_in_anew()
    member.as_person(vera)
    member.go("/")
    member.is_at("/toms")

    _own_role_is_made_given_and_kept(owner, member, vera)
    _demand_of_a_second_factor_shows_a_banner(owner, member, vera)

    owner.go("/members?search=vera")
    owner.page.get_by_role("link", name="Vera Viewer").click()
    owner.fill("Reason", "The phone fell into the lake; asked by telephone.")
    owner.press("Reset the second factors")
    owner.sees("status", "The second factors are gone")
    owner.press("Disable the member")
    owner.sees("status", "shut out")
    owner.press("Enable the member")
    owner.sees("status", "can work here again")
    owner.page.get_by_text("End the membership").click()
    owner.fill("To confirm, enter the e-mail address", vera.email)
    owner.press("Remove the member")
    owner.sees("status", "The membership has ended")
    expect(owner.page.locator("tbody tr")).to_have_count(1)


def _own_role_is_made_given_and_kept(owner: Console, member: Console, vera: MemberPerson) -> None:
    owner.go("/roles")
    owner.page.get_by_role("link", name="New role").click()
    owner.fill("Name", "Not Good")
    owner.fill("Title", "Key keeper")
    owner.page.get_by_role("group", name="Keys").get_by_label("read").check()
    owner.press("Save the role")
    owner.sees("alert", "lower-case")
    assert owner.page.get_by_role("group", name="Keys").get_by_label("read").is_checked()
    owner.fill("Name", "key_keeper")
    owner.press("Save the role")
    owner.sees("status", "The role is saved")
    owner.go("/members?search=vera")
    owner.page.get_by_role("link", name="Vera Viewer").click()
    owner.page.get_by_label("Role").select_option("key_keeper")
    owner.press("Change the role")
    vera.sign_in_anew()
    member.as_person(vera)
    member.go("/keys")
    member.sees("heading", "API keys")
    expect(member.page.get_by_role("button", name="Issue the key")).to_have_count(0)
    owner.go("/roles/key_keeper")
    owner.press("Delete the role")
    owner.sees("alert", "members have this role")


def _demand_of_a_second_factor_shows_a_banner(owner: Console, member: Console, vera: MemberPerson) -> None:
    owner.go("/policy")
    owner.page.get_by_label("Members need a second factor").check()
    owner.fill("Shortest password", "3")
    owner.press("Put it in force")
    owner.sees("alert", "Choose 8 to 64")
    assert owner.page.get_by_label("Members need a second factor").is_checked()
    owner.fill("Shortest password", "12")
    owner.press("Put it in force")
    owner.sees("status", "The policy is in force")
    member.go("/")
    member.is_at("/account")
    member.sees("status", "asks for a second factor")
    assert member.go("/keys").status == 403
    member.page.get_by_role("link", name="Your second factors").click()
    member.enrol_app(vera)
    assert member.go("/keys").status == 200


def test_what_the_plan_lacks_is_shown_as_available(consoles: Consoles, clinic: MemberPerson) -> None:
    console = consoles(clinic)
    console.go("/policy")
    sso = console.page.get_by_label("Members sign in through your identity provider")
    assert sso.is_disabled()
    assert "Available with the plan enterprise" in console.page.content()
    assert console.page.get_by_label("Members need a second factor").is_enabled()
    console.go("/roles")
    assert "available with the plan enterprise" in console.page.content()
    expect(console.page.get_by_role("link", name="New role")).to_have_count(0)
    console.go("/roles/auditor")
    assert console.page.locator("input[type=checkbox]:enabled").count() == 0
    # The networks that would shut out whoever names them are refused, and what was typed stays.
    console.go("/policy")
    expect(console.page.locator("#h-networks")).to_contain_text("API keys and OAuth clients come from anywhere")
    console.fill("Networks that members may come from", "203.0.113.0/24")
    console.press("Put it in force")
    console.sees("alert", "shut yourself out")
    assert console.page.get_by_label("Networks that members may come from").input_value().strip() == "203.0.113.0/24"


def test_own_key_is_issued_with_an_end_rotated_and_revoked(
    consoles: Consoles, demo: Demo, clinic: MemberPerson
) -> None:
    console = consoles(clinic)
    page = console.page
    console.go("/keys")
    console.fill("Name", "portal key")
    page.get_by_label("collections:read").check()
    console.fill("Good until the end of", "2020-01-01")
    console.press("Issue the key")
    console.sees("alert", "within the next ten years")
    assert page.get_by_label("collections:read").is_checked()
    console.fill("Good until the end of", f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}")
    console.press("Issue the key")
    first = page.locator("#token").inner_text()
    page.get_by_role("link", name="I have kept it").click()
    row = page.locator("tbody tr", has_text="portal key")
    row.get_by_text("Rotate", exact=True).first.click()
    row.get_by_label("Hours that the old token goes on").fill("721")
    console.press("Rotate portal key")
    console.sees("alert", "Choose 0 to 720 hours")
    row.get_by_label("Hours that the old token goes on").fill("0")
    console.press("Rotate portal key")
    second = page.locator("#token").inner_text()
    with _client(demo) as http:
        for token, status in ((first, 401), (second, 200)):
            bearer = {"Authorization": f"Bearer {token}"}
            assert http.get(f"{demo.base_url}/api/v1/collections", headers=bearer).status_code == status
        page.get_by_role("link", name="I have kept it").click()
        page.get_by_role("button", name="Revoke portal key").last.click()
        expect(page.locator("tbody tr", has_text="portal key").last).to_contain_text("revoked")
        bearer = {"Authorization": f"Bearer {second}"}
        assert http.get(f"{demo.base_url}/api/v1/collections", headers=bearer).status_code == 401


def test_member_of_two_tenants_joins_by_signing_in_and_switches(
    consoles: Consoles, demo: Demo, clinic: MemberPerson
) -> None:
    second = demo.tenants[1]
    person = demo.new_member(demo.tenants[0]["id"], "auditor", enrol=False)
    with demo.tenant_owner(second["id"]).client() as owner:
        invited = owner.members.invitations.create(person.email, "Member Sample", "viewer")
    assert invited.token
    link = f"{demo.base_url}/invitation#{invited.token}"

    console = consoles()
    console.open_link(link)
    console.sees("heading", f"Join {second['name']}")
    console.page.get_by_role("link", name="Sign in").click()
    console.show_password(person)
    console.is_at("/invitation")  # the token waited in a cookie, not in an address
    console.press("Join")
    console.is_at("/account")
    assert console.cookie("__Host-bailee-invitation") is None
    expect(console.page.locator("tr", has_text=second["name"])).to_contain_text("you are here")
    before = console.cookie()
    console.press(f"Work in {demo.tenants[0]['name']}")
    console.is_at("/toms")
    after = console.cookie()
    assert before is not None
    assert after is not None
    assert before["value"] != after["value"]
    assert _get(demo, "/account", before["value"]).status_code == 303
    forced = _post(demo, "/account/tenant", {"tenant": "01890000-0000-7000-8000-000000000000"}, after["value"])
    assert forced.status_code == 404


# --- mail ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def mailing(fresh_instance: FreshInstance, mail: MailServer) -> Instance:
    """An instance that writes to people."""
    made = fresh_instance(**mail.settings())
    made.set_up().close()
    return made


def _link(mail: MailServer, to: str, subject: str) -> str:
    body = mail.wait_for(to=to, subject=subject).get_body()
    assert body is not None
    found = _LINK.search(body.get_content())
    assert found
    return found.group()


def test_second_colleague_is_invited_by_mail_and_enrols(
    consoles: Consoles, mailing: Instance, mail: MailServer
) -> None:
    owner = consoles(mailing.owner, mailing)
    owner.go("/staff/invitations")
    owner.fill("Name", "Second Person")
    owner.fill("E-mail", "second@bailee.example")
    owner.page.get_by_label("Security officer").check()
    owner.press("Send the invitation")
    owner.sees("status", "on its way by mail")
    assert "#" not in owner.page.url

    new = consoles(None, mailing)
    new.open_link(_link(mail, "second@bailee.example", "invited"))
    new.fill("Password", PASSWORD)
    new.fill("Password again", PASSWORD)
    new.press("Accept the invitation")
    new.enrol_app(StaffPerson(mailing, "second@bailee.example"))
    new.is_at("/toms")


def test_password_is_reset_by_mail_and_the_second_factor_stays(
    consoles: Consoles, mailing: Instance, mail: MailServer
) -> None:
    person = mailing.owner
    console = consoles(None, mailing)
    console.go("/sign-in")
    console.page.get_by_role("link", name="Forgot your password?").click()
    answers = []
    for email in ("nobody@bailee.example", person.email):
        console.go("/password")
        console.fill("E-mail", email)
        console.press("Send the link")
        answers.append(console.page.locator("main").inner_text())
    assert answers[0] == answers[1]

    link = _link(mail, person.email, "Choose a new password")
    assert not any("nobody@" in str(message["To"]) for message in mail.messages)
    console.open_link(link)
    console.fill("New password", "password1")
    console.fill("New password again", "password1")
    console.press("Change the password")
    console.sees("alert", "password")
    console.fill("New password", _NEW_PASSWORD)
    console.fill("New password again", _NEW_PASSWORD)
    console.press("Change the password")
    console.sees("status", "Your password is changed")
    person.password = _NEW_PASSWORD
    console.sign_in(person)  # with the second factor from before
    console.is_at("/toms")

    again = consoles(None, mailing)
    again.open_link(link)
    again.fill("New password", PASSWORD)
    again.fill("New password again", PASSWORD)
    again.press("Change the password")
    again.sees("alert", "This link is not valid")


# --- all pages ----------------------------------------------------------------------------------------


def test_every_page_of_access_control_fits_is_named_and_has_no_inline_code(
    consoles: Consoles, demo: Demo, colleague: StaffPerson, clinic: MemberPerson
) -> None:
    tenant = demo.tenants[0]["id"]
    of_staff = (
        "/account", "/account/factors", "/staff", f"/staff/{demo.owner.id}", "/staff/invitations", "/privileges",
        "/break-glass", "/elevations", "/reviews", f"/tenants/{tenant}/owner",
    )  # fmt: skip
    of_members = (
        "/account", "/members", f"/members/{clinic.id}", "/members/invitations", "/roles", "/roles/owner", "/policy",
        "/keys",
    )  # fmt: skip
    of_anybody = ("/sign-in", "/password", "/enrolment", "/invitation")
    for person, paths in ((colleague, of_staff), (clinic, of_members), (None, of_anybody)):
        console = consoles(person)
        console.page.set_viewport_size({"width": 320, "height": 640})
        for path in paths:
            assert console.go(path).status == 200, path
            assert console.page.evaluate("document.documentElement.scrollWidth") <= 320, path
            assert re.fullmatch(r".+ – Bailee", console.page.title()), path
            assert console.page.locator("h1").count() == 1, path
            assert console.page.evaluate(UNNAMED) == 0, path
            assert console.page.evaluate(INLINE) == [], path
            assert console.page.evaluate(TWICE) == [], path


def _client(instance: Instance) -> httpx2.Client:
    return httpx2.Client(verify=ssl.create_default_context(cafile=str(instance.ca_file)))


def _get(instance: Instance, path: str, session: str) -> httpx2.Response:
    with _client(instance) as http:
        return http.get(instance.base_url + path, headers={"Cookie": f"__Host-bailee={session}"})


def _post(
    instance: Instance, path: str, form: dict[str, str], session: str = "", *, referer: str = ""
) -> httpx2.Response:
    headers = {"Origin": instance.base_url}
    if session:
        headers["Cookie"] = f"__Host-bailee={session}"
    if referer:
        headers["Referer"] = referer
    with _client(instance) as http:
        return http.post(instance.base_url + path, data=form, headers=headers)
