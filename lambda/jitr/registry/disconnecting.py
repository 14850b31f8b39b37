"""Out means out: the connection of a device that was switched off is ended, instead of lasting for some minutes more.

Best effort, after everything that counts: nothing here raises, and what is off stays off whatever becomes of the
connection. AWS IoT itself ends the sessions of a certificate that is not ACTIVE, "within some minutes".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jitr.aws.connections import Connections
from jitr.aws.iot import IotRegistry, is_active
from jitr.errors import Reason, Undecided
from jitr.registry.connection_rule import Spared, SwitchedOffDevice, spared_because
from jitr.registry.notes import DeviceNote, Report, unreported
from jitr.registry.row import RegistryRow

# How long one piece of work may spend on connections, so that nothing behind it waits for them.
LONGEST = timedelta(seconds=30)
# After a failure nothing is asked for so long: where the call is denied or not there, each device would cost a timeout.
_SILENCE = timedelta(minutes=1)
_CERTIFICATE = ":cert/"
ENDED, SPARED, FAILED, UNTRIED = "connection_ended", "connection_spared", "connection_unknown", "connections_untried"


@dataclass(frozen=True)
class Off:
    """A registry row whose certificates are off in AWS IoT, and since when."""

    row: RegistryRow
    since: datetime


@dataclass(kw_only=True)
class Disconnecting:
    """Ends the connections of devices; `own_client_ids` says which ids the policy lets a row's certificates alone use.

    `pace` waits before each call about connections and Things, `describe_pace` before each DescribeCertificate, whose
    quota others share. `arn_of` returns a certificate's ARN. `clock` is UTC.
    """

    connections: Connections
    registry: IotRegistry
    arn_of: Callable[[str], str]
    own_client_ids: Callable[[RegistryRow], frozenset[str]]
    pace: Callable[[], None]
    describe_pace: Callable[[], None]
    clock: Callable[[], datetime]
    report: Report = unreported
    _silent_until: datetime | None = field(default=None, init=False)

    def off_now(self, row: RegistryRow) -> Off:
        """Return a row as one whose certificates AWS IoT has just switched off."""
        return Off(row, self.clock())

    def end(self, devices: Sequence[Off]) -> int:
        """End the connections of devices that are off, and return of how many; never raises, and ends in time."""
        began, ended = self.clock(), 0
        for number, device in enumerate(devices):
            if self.clock() - began > LONGEST or self._is_silent():
                self._untried(devices[number:])
                break
            ended += self._end_one(device)
        return ended

    def _is_silent(self) -> bool:
        return self._silent_until is not None and self.clock() < self._silent_until

    def _end_one(self, device: Off) -> bool:
        try:
            return self._end(device)
        except Exception as failure:  # noqa: BLE001 - a connection is not worth the revocation around it
            self._silent_until = self.clock() + _SILENCE
            what = failure.message if isinstance(failure, Undecided) else f"unexpected {type(failure).__name__}"
            reason = failure.reason if isinstance(failure, Undecided) else Reason.INTERNAL
            self._note(device.row, FAILED, f"its connection was not looked at: {what}", reason=reason)
            return False

    def _end(self, device: Off) -> bool:
        row = device.row
        thing, own = self._thing_of(row), self.own_client_ids(row)
        ended = False
        for client_id in dict.fromkeys(filter(None, (row.client_id, thing, *sorted(own)))):
            self.pace()
            connection = self.connections.find(client_id)
            if connection is None or not connection.connected:
                continue
            in_use = thing is not None and connection.thing_name == thing and self._is_in_use(thing, row)
            facts = SwitchedOffDevice(
                thing_name=thing, off_since=device.since, thing_is_in_use=in_use, own_client_ids=own
            )
            spared = spared_because(connection, facts)
            if spared is not None:
                self._note(row, SPARED, _SENTENCES[spared], client_id=client_id, because=spared.value)
                continue
            self.pace()
            if self.connections.end(client_id):
                ended = True
                self._note(row, ENDED, "its connection was ended", client_id=client_id)
        return ended

    def _thing_of(self, row: RegistryRow) -> str | None:
        """Return the row's Thing; rows of before do not say it, and then the one that is attached counts."""
        if row.thing_name is not None:
            return row.thing_name
        found: set[str] = set()
        for certificate_id in row.certificate_ids:
            self.pace()
            found.update(self._things_of(certificate_id))
        return found.pop() if len(found) == 1 else None

    def _things_of(self, certificate_id: str) -> tuple[str, ...]:
        try:
            return self.registry.things_of(self.arn_of(certificate_id))
        except Undecided as failure:
            if failure.reason is not Reason.AWS_REFUSED:
                raise
            return ()  # The certificate was deleted.

    def _is_in_use(self, thing: str, row: RegistryRow) -> bool:
        """Return whether another ACTIVE certificate, or a principal of another kind, is attached to the Thing."""
        self.pace()
        for arn in self.registry.principals_of(thing):
            before, certificate, certificate_id = arn.rpartition(_CERTIFICATE)
            if not certificate or not before:
                return True
            if certificate_id not in row.certificate_ids and self._is_active(certificate_id):
                return True
        return False

    def _is_active(self, certificate_id: str) -> bool:
        self.describe_pace()
        return is_active(self.registry, certificate_id)

    def _untried(self, devices: Iterable[Off]) -> None:
        for each in devices:
            self._note(each.row, UNTRIED, "its connection was not looked at: AWS IoT ends it within some minutes")

    def _note(self, row: RegistryRow, outcome: str, message: str, *, reason: Reason | None = None, **more: str) -> None:
        for certificate_id in row.certificate_ids:
            self.report(
                DeviceNote(certificate_id=certificate_id, outcome=outcome, reason=reason, message=message, details=more)
            )


_SENTENCES = {
    Spared.ANOTHER_THING: "a client of that id is connected, as another Thing: it is left alone",
    Spared.CONNECTED_LATER: "a client of that id connected after the device was switched off: it is left alone",
    Spared.THING_IN_USE: "another ACTIVE certificate is attached to its Thing: the connection may be that one's",
    Spared.NOT_ITS_OWN_ID: "without a Thing nothing says that the connection is its own: it is left alone",
    Spared.NOT_CONNECTED: "it is not connected",
}
