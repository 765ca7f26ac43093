"""One sentence for each kind of event, as `laocert audit list` and `laocert audit show` say it.

A kind's entry is a sentence with the names of the event's details in braces, or a function of the details. What
is not there (an older event has fewer details) reads `?`. Who could write to the database could have written any
details: whatever they are, there is a sentence.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from bot.commands.common import thai_time
from models.audit.event_chain import Event
from models.audit.reading import Entry

# Letters of a detail in a sentence; `audit show` has all of them.
LONGEST = 160


class Details(dict[str, Any]):
    """The details of an event, where none is missing."""

    def __missing__(self, _name: str) -> str:
        return "?"

    def number_of(self, name: str) -> int:
        """How many things a detail lists."""
        listed = self.get(name)
        return len(listed) if isinstance(listed, list | dict) else 0

    def of(self, name: str) -> "Details":
        """The details within one."""
        within = self.get(name)
        return Details(within if isinstance(within, dict) else {})


Sentence = str | Callable[[Details], str]


def printable(text: object) -> str:
    """A text on one line, harmless on a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))


def sentence(entry: Entry) -> str:
    """What an event tells, in one sentence."""
    wanted = SENTENCES.get(entry.kind)
    if not entry.details:
        return f"{printable(entry.kind)}: what it tells cannot be read"
    if wanted is None:
        return _plain(entry)
    details = Details({name: _shown(value) for name, value in entry.details.items()})
    return printable(wanted(details) if callable(wanted) else wanted.format_map(details))


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shown(within) for name, within in value.items()}
    if not isinstance(value, str):
        return value
    return value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"


def _plain(entry: Entry) -> str:
    """Of a kind that this program does not know: an event of a newer release."""
    told = ", ".join(f"{name} {value}" for name, value in sorted(entry.details.items()))
    return printable(f"{entry.kind}: {told}")[: 2 * LONGEST]


def _moment(written: object) -> str:
    """A moment in an event's details, as a terminal shows it."""
    try:
        return thai_time(datetime.fromisoformat(str(written)))
    except (ValueError, OverflowError):
        return str(written)


def _login(d: Details) -> str:
    how = {"password": "with its password", "invitation": "by an invitation"}.get(str(d["by"]), f"by {d['by']}")
    return "chat {user} was linked to account {username} as officer {officer}, ".format_map(d) + how


def _login_failed(d: Details) -> str:
    if "username" in d:
        return "a wrong password for account {username} was given in chat {user}".format_map(d)
    return "a login to an account that there is not was tried in chat {user}".format_map(d)


def _unlinked(d: Details) -> str:
    ended_by = {"officer": "the officer itself", "operator": "the operator", "handover": "handing over"}
    by = ended_by.get(str(d["by"]), str(d["by"]))
    return "officer {officer} of account {username} is linked no more (chat {user}); ended by ".format_map(d) + by


def _invited(d: Details) -> str:
    by = f"officer {d['officer']}" if "officer" in d else "the operator"
    until = _moment(d["expires_at"])
    return f"invitation {d['invitation']} to account {d['username']} was made by {by}, good until {until}"


def _imported(d: Details) -> str:
    what = {"personnel": "the register", "accounts": "accounts", "organizations": "organizations"}
    by = f", sent by officer {d['officer']}" if "officer" in d else ""
    rows = f" ({d['rows']} rows)" if "rows" in d else ""
    return f"{what.get(str(d['what']), d['what'])} were imported from {d['file']}{rows}{by}".replace(
        "the register were", "the register was"
    )


def _exported(d: Details) -> str:
    what = {
        "organizations": "the list of organizations",
        "certificate": f"certificate {d['certificate']}",
        "register": "the register, as a file to fill in,",
        "progress": "the progress of the province",
        "?": "certificates",
    }.get(str(d["what"]), str(d["what"]))
    by = f"officer {d['officer']}" if "officer" in d else f"the operator, into {d['file']}"
    return f"{what} was taken by {by}".replace("certificates was", "certificates were")


def _round_opened(d: Details) -> str:
    closes_on = d.get("closes_on")
    last = f"its last day is {closes_on}" if closes_on else "without a last day"
    return f"the round of {d['fiscal_year']} was opened, {last}"


def _certified(d: Details) -> str:
    made = d.of("certificate")
    level = {"lao": "the organization", "province": "the province"}.get(str(made["level"]), str(made["level"]))
    return (
        "{officer_name} ({officer_position}, officer {officer_id}) certified for ".format_map(made)
        + level
        + ": {officials} officials, {permanent_employees} permanent and {contract_employees} contract employees,"
        " certificate {code}, revision {revision}".format_map(made)
    )


def _drawn(d: Details) -> str:
    records = d.get("records")
    numbers = ", ".join(map(str, records)) if isinstance(records, list) else "?"
    return f"officer {d['officer']} drew spot-check {d['check']} of revision {d['revision']}: records {numbers}"


def _marked(d: Details) -> str:
    mark = {"correct": "correct", "incorrect": "not correct"}.get(str(d["mark"]), str(d["mark"]))
    return f"officer {d['officer']} marked record {d['record_no']} of spot-check {d['check']} as {mark}"


def _handed_in(d: Details) -> str:
    incorrect = d["incorrect"]
    found = f"{incorrect} records are not correct" if incorrect else "every record is correct"
    return f"spot-check {d['check']} was handed in: {found}"


def _decided(d: Details) -> str:
    how = "granted" if d.get("granted") else "refused"
    return f"petition {d['petition']} was {how} by {d['by']}: {d['reason']}"


def _refused(d: Details) -> str:
    who = "officer {officer} (chat {user})" if d.get("officer") else "chat {user}, which is not linked,"
    return who.format_map(d) + f" tried what it has no right to: {d['what']}"


def _repeated(d: Details) -> str:
    who = f"officer {d['officer']} (chat {d['user']})" if d.get("officer") else f"chat {d['user']}"
    what = f" ({d['what']})" if d.get("what") else ""
    return f"{who} was refused {d['times']} more times on {d['day']}: {d['refused']}{what}"


def _words(d: Details) -> str:
    words = {name: str(value) for name, value in d.items() if value}
    return ", ".join(f"{name} {words[name]}" for name in sorted(words))


def _described(d: Details) -> str:
    return f"is described from now on as: {_words(d.of('description'))}"


def _renamed(d: Details) -> str:
    by = f" by {d['by']}: {d['reason']}" if "by" in d else f" by the file {d['file']}"
    return f"was {_words(d.of('before'))}; is now {_words(d.of('after'))}{by}"


def _ended(d: Details) -> str:
    successor = d.get("successor")
    how = f"goes on as {successor} ({d['how']})" if successor else "was closed"
    return f"the organization {how} on {d['effective_on']}, by {d['by']}: {d['reason']}"


def _succeeded(d: Details) -> str:
    predecessors = ", ".join(sorted(d.of("heads")))
    return (
        f"the organization goes on from {predecessors} ({d['how']}) with {d.number_of('accounts')} accounts and"
        f" {d.number_of('officers')} officers, by {d['by']}: {d['reason']}"
    )


def _account_changed(d: Details) -> str:
    what = {"disabled": "was disabled", "enabled": "was enabled", "password": "has another password"}
    return f"account {d['username']} {what.get(str(d['change']), d['change'])}"


SENTENCES: dict[str, Sentence] = {
    Event.LOGIN: _login,
    Event.LOGIN_FAILED: _login_failed,
    Event.UNLINKED: _unlinked,
    Event.INVITED: _invited,
    Event.HANDED_OVER: "officer {officer} of account {username} has handed over to officer {successor}",
    Event.PIN_SET: "officer {officer} has chosen a PIN",
    Event.PIN_BLOCKED: "wrong PINs have closed the keypad of officer {officer} for a while",
    Event.FORGOTTEN: "the data of officer {officer} was erased by {by}: {reason}",
    Event.ACCOUNT_CHANGED: _account_changed,
    Event.IMPORTED: _imported,
    Event.EXPORTED: _exported,
    Event.ROUND_OPENED: _round_opened,
    Event.ROUND_CLOSED: "the round of {fiscal_year} was closed",
    Event.ROUND_REOPENED: "the closing of the round of {fiscal_year} was undone by {by}: {reason}",
    Event.CERTIFIED: _certified,
    Event.DRAWN: _drawn,
    Event.MARKED: _marked,
    Event.HANDED_IN: _handed_in,
    Event.REOPENED: "revision {revision} of the round of {round} was ended (reopened) by {by}: {reason}",
    Event.PETITIONED: "officer {officer} asked for a reopening (petition {petition}): {body}",
    Event.DECIDED: _decided,
    Event.QUESTIONED: "officer {officer} asked (question {question}, about {about}): {body}",
    Event.ANSWERED: "officer {officer} answered question {question}: {body}",
    Event.EXPLAINED: "officer {officer} explained the difference to the year before ({about}): {body}",
    Event.REFUSED: _refused,
    Event.REPEATED: _repeated,
    Event.WORDS_KEPT: "the names of {certificates} older certificates were kept",
    Event.BROADCAST: "an announcement to {audience} was queued for {chats} chats",
    Event.DESCRIBED: _described,
    Event.RENAMED: _renamed,
    Event.ENDED: _ended,
    Event.SUCCEEDED: _succeeded,
    Event.NAMED: "officer {officer} has said its {what}",
    Event.PIN_RESET: "officer {officer} may choose a new PIN, by {by}",
    Event.PIN_FAILED: "officer {officer} gave a wrong PIN",
    Event.PIN_MOVED: "the PIN of officer {officer} is kept under the new secret key",
    Event.INVITATION_USED: "officer {officer} has used invitation {invitation}",
    Event.INVITATIONS_ENDED: "invitations {invitations} of account {username} were ended",
    Event.WARNED: "officer {officer} was shown the warning before certifying {organization} ({level})",
    Event.BAD_SEAL: "{row} was found written by somebody without the secret key",
    Event.SEALED: "all rows of the chain were sealed",
    Event.SEALED_ALL: "every row that decides was sealed",
    Event.SEAL_ACCEPTED: "{table} {id} was sealed as it stands ({fault}) by {by}: {reason}",
    Event.HEAD: "the head {head} was taken",
}
