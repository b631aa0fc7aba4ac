"""A real DNS server on loopback: UDP, authoritative for whatever it is told."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset


class DnsServer(asyncio.DatagramProtocol):
    """A name server in a thread of its own. Names are given without the dot at their end."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        """TXT records; one text is one record, split into strings of 255 bytes as DNS asks."""
        self.aliases: dict[str, str] = {}
        """CNAME records."""
        self.asked: list[str] = []
        self.fails = False
        """Answers SERVFAIL to everything."""
        self.silent = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="DNS server", daemon=True)
        self._thread.start()
        self._transport = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = int(self._transport.get_extra_info("sockname")[1])

    @property
    def address(self) -> str:
        """For `access.dns_servers`."""
        return f"127.0.0.1:{self.port}"

    def publish(self, name: str, *texts: str) -> None:
        self.texts[name.lower()] = list(texts)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> asyncio.DatagramTransport:
        transport, _ = await self._loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return transport

    async def _end(self) -> None:
        self._transport.close()
        await asyncio.sleep(0)  # the socket is closed by the loop's next round

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        question = dns.message.from_wire(data)
        if not self.silent:
            self._transport.sendto(self._answer(question).to_wire(), addr)

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(question, recursion_available=True)
        asked = question.question[0]
        name = asked.name.to_text(omit_final_dot=True).lower()
        self.asked.append(name)
        if self.fails:
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer
        while name in self.aliases:
            target = self.aliases[name]
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", f"{target}."))
            name = target
        texts = self.texts.get(name)
        if texts is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif asked.rdtype == dns.rdatatype.TXT and texts:
            records = [" ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255)) for text in texts]
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "TXT", *records))
        return answer


@contextmanager
def dns_server() -> Iterator[DnsServer]:
    """A name server that runs for the duration."""
    server = DnsServer()
    try:
        yield server
    finally:
        server.close()
