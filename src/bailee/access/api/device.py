"""Sign-in of a program by a browser, over REST (RFC 8628): the program's side."""

import msgspec
from litestar import Router, post

from bailee.access.api.common import SMALL, Short
from bailee.access.device import DeviceRequest, DeviceSignIn
from bailee.access.model import StartedSession
from bailee.foundation.database import Database
from bailee.foundation.http import problems
from bailee.foundation.principal import Principal


class NewDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the program calls its machine, such as the host's name."""

    label: Short


class DeviceCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the program was given."""

    device_code: Short


@post("/device", request_max_body_size=SMALL, summary="Ask for a sign-in that a person approves in a browser",
      operation_id="startDevice", responses=problems())  # fmt: skip
async def start_device(
    database: Database, device_sign_in: DeviceSignIn, data: NewDevice, principal: Principal
) -> DeviceRequest:
    async with database.operator() as tx:
        return await device_sign_in.begin(tx, label=data.label, by=principal)


@post("/device/token", request_max_body_size=SMALL, summary="The session, once a person has approved it",
      operation_id="pollDevice", responses=problems())  # fmt: skip
async def poll_device(device_sign_in: DeviceSignIn, data: DeviceCode, principal: Principal) -> StartedSession:
    return await device_sign_in.poll(device_code=data.device_code, by=principal)


router = Router("/", route_handlers=[start_device, poll_device], tags=["Access"])
