"""The page's log of what happens behind the chats, read from the demonstration's database.

A line appears when the rows that it describes are committed, not when a button is pressed.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload, selectinload

from demo.clock import MovedClock
from demo.phones import Phones
from models.accounts.account import Account, Officer, Role
from models.accounts.pin import Keypad, Purpose
from models.base.calendar import BANGKOK
from models.certification.certificate import Certification, Level, is_live
from models.certification.spot_check import SpotCheck
from models.chats import inbox
from models.chats.conversation import Awaiting, Conversation
from models.database.engine import Database, Session
from models.links.invitation import Invitation
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.rounds.round import Round

ROOT = Path(__file__).resolve().parent.parent
KEPT = 40

# The source files that lines link to. The page's server delivers only these.
SOURCES = (
    "bot/outbound/courier.py",
    "bot/inbound/intake.py",
    "bot/inbound/worker.py",
    "demo/clock.py",
    "demo/sample.py",
    "models/certification/certify.py",
    "models/chats/inbox.py",
    "models/links/invitation.py",
    "models/links/link.py",
    "models/security/passwords.py",
    "models/accounts/pin.py",
    "models/notices/sending.py",
    "models/certification/spot_check.py",
    "models/spot_checks/spot_checking.py",
    "models/schema/sqlite_triggers.py",
)


def sources() -> list[str]:
    """Return those of SOURCES that exist."""
    return [name for name in SOURCES if (ROOT / name).is_file()]


@dataclass
class _Seen:
    """What the lines so far have reported."""

    officers: dict[int, tuple[bool, bool]] = field(default_factory=dict)  # by id: ready, unlinked
    pins: set[str] = field(default_factory=set, repr=False)  # hashes, to tell a new one; never shown
    certificates: set[int] = field(default_factory=set)
    checks: dict[int, bool] = field(default_factory=dict)  # by id: handed in
    # By id: state, attempts and error. A 429 that comes between two looks changes the error alone.
    outbox: dict[int, tuple[str, int, str]] = field(default_factory=dict)


# The messages whose subject is a certificate.
ABOUT_CERTIFICATES = {
    NoticeKind.RECEIPT,
    NoticeKind.COLLEAGUE_CERTIFIED,
    NoticeKind.PROVINCE_CERTIFIED,
}


ENDED = (outbox.State.SENT, outbox.State.DEAD, outbox.State.DROPPED)


class Behind:
    """Reads the database, and keeps the lines, the counters, and which steps of the procedure are done."""

    def __init__(self, database: Database, phones: Phones, clock: MovedClock) -> None:
        self._database = database
        self._phones = phones
        self._clock = clock
        self._seen: _Seen | None = None
        self._lines: deque[dict[str, str]] = deque(maxlen=KEPT)
        self.counters: dict[str, int] = {}
        self.steps: list[bool] = [False] * 5

    def say(self, th: str, en: str, source: str = "", tone: str = "plain") -> None:
        """Add a line, in both languages, with the file that explains it. Tones: plain, good, warn."""
        link = source if (ROOT / source).is_file() else ""
        time = self._clock().astimezone(BANGKOK).strftime("%H:%M:%S")
        self._lines.append({"time": time, "th": th, "en": en, "source": link, "tone": tone})

    def value(self) -> dict[str, Any]:
        """Return lines (newest first), counters and steps, for the page."""
        return {"lines": list(reversed(self._lines)), "counters": self.counters, "steps": self.steps}

    async def look(self) -> None:
        """Read what is committed, add lines for what is new, and update what each phone is asked for."""
        answers = {user_id: phone.answers for user_id, phone in self._phones.all.items()}
        async with self._database.read() as session:
            officers = list(await session.scalars(select(Officer).options(joinedload(Officer.account))))
            certificates = list(
                await session.scalars(
                    select(Certification).options(
                        joinedload(Certification.organization), joinedload(Certification.kept_words)
                    )
                )
            )
            checks = list(await session.scalars(select(SpotCheck).options(selectinload(SpotCheck.items))))
            messages = list(await session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))
            of_round = await session.scalar(select(func.max(Round.id)))
            present = [one for one in certificates if one.round_id == of_round]
            await self._count(session, present, messages)
            invited = set(await session.scalars(select(Invitation.used_by_id)))
            live = set(await session.scalars(select(Certification.id).where(is_live(Certification))))
            awaiting = {row.chat_id: row.awaiting for row in await session.scalars(select(Conversation))}
            chooses = (Keypad.purpose == Purpose.SET) & (Keypad.nonce != "")
            choosing = set(await session.scalars(select(Keypad.user_id).where(chooses)))
        for user_id, phone in self._phones.all.items():
            # After an answer that arrived meanwhile, what was read is outdated: the next look updates the phone.
            if phone.answers == answers.get(user_id):
                phone.awaiting = awaiting.get(user_id, Awaiting.NOTHING)
                phone.choosing = user_id in choosing
        if self._seen is None:
            # In a kept folder, what an earlier demonstration did is not news.
            self._seen = _Seen()
            self._tell(officers, invited, certificates, checks, messages)
            self._lines.clear()
            self._phones.welcome_back({officer.user_id for officer in officers if officer.unlinked_at is None})
        else:
            self._tell(officers, invited, certificates, checks, messages)
        self._steps(officers, present, messages)
        self._guide(officers, [certificate for certificate in present if certificate.id in live], checks)

    async def _count(
        self, session: Session, certificates: list[Certification], messages: list[OutboxMessage]
    ) -> None:
        rows = await session.execute(
            select(inbox.InboxUpdate.state, func.count()).group_by(inbox.InboxUpdate.state)
        )
        updates: Counter[str] = Counter()
        for state, count in rows:
            updates[state] = count
        states = Counter(message.state for message in messages)
        self.counters = {
            "done": updates[inbox.State.DONE],
            "waiting": updates[inbox.State.PENDING],
            "set_aside": updates[inbox.State.SET_ASIDE],
            "certificates": len(certificates),
            "sent": states[outbox.State.SENT],
            "queued": sum(states.values()) - sum(states[ended] for ended in ENDED),
            "dead": states[outbox.State.DEAD],
        }

    # --- lines

    def _tell(
        self,
        officers: list[Officer],
        invited: set[int | None],
        certificates: list[Certification],
        checks: list[SpotCheck],
        messages: list[OutboxMessage],
    ) -> None:
        names = {certificate.organization_code: certificate.organization.full_name for certificate in certificates}
        for officer in officers:
            self._tell_officer(officer, is_invited=officer.id in invited)
        for certificate in certificates:
            caused = [
                message
                for message in messages
                if message.subject_id == certificate.id and message.kind in ABOUT_CERTIFICATES
            ]
            self._tell_certificate(certificate, caused)
        for check in checks:
            self._tell_check(check, names[check.organization_code])
        for message in messages:
            self._tell_message(message)

    def _tell_officer(self, officer: Officer, *, is_invited: bool) -> None:
        assert self._seen is not None  # noqa: S101 - set by look()
        is_new = officer.id not in self._seen.officers
        was_ready, was_unlinked = self._seen.officers.get(officer.id, (False, False))
        is_unlinked = officer.unlinked_at is not None
        self._seen.officers[officer.id] = (officer.is_ready, is_unlinked)
        name = officer.account.display_name
        if is_new and is_invited:
            self.say(
                f"คำเชิญใช้ได้ · ผูกแชตกับบัญชี {name} · รหัสคำเชิญใช้ซ้ำไม่ได้ ในฐานข้อมูลมีแต่ค่าแฮช",
                f"Invitation good · chat linked to {name} · its code works no more, only a hash of it was stored",
                "models/links/invitation.py",
            )
        elif is_new:
            self.say(
                f"รหัสผ่านถูกต้อง · ผูกแชตกับบัญชี {name} · ในฐานข้อมูลมีแต่ค่าแฮช Argon2id",
                f"Password right · chat linked to {name} · only an Argon2id hash is stored",
                "models/security/passwords.py",
            )
        # Who links again keeps its PIN, and its hash with it.
        if officer.pin_hash and officer.pin_hash not in self._seen.pins:
            self._seen.pins.add(officer.pin_hash)
            self.say(
                "ตั้ง PIN แล้ว · ในฐานข้อมูลมีแต่ค่าแฮช Argon2id ที่ใช้กุญแจลับร่วมด้วย",
                "PIN set · only an Argon2id hash made with the secret key is stored",
                "models/accounts/pin.py",
            )
        if officer.is_ready and not was_ready:
            self.say(
                f"บันทึกแล้ว · {officer.full_name} ลงนามในนาม{name}ได้",
                f"Committed · {officer.full_name} can now sign for {name}",
                "models/links/link.py",
            )
        if is_unlinked and not was_unlinked:
            self.say(
                f"เลิกผูกแชตกับบัญชี {name} แล้ว · ประวัติยังอยู่",
                f"Chat unlinked from {name} · its history stays",
                "models/links/link.py",
            )

    def _tell_certificate(self, certificate: Certification, caused: list[OutboxMessage]) -> None:
        assert self._seen is not None  # noqa: S101 - set by look()
        if certificate.id in self._seen.certificates:
            return
        self._seen.certificates.add(certificate.id)
        receipts = sum(message.kind == NoticeKind.RECEIPT for message in caused)
        notices = len(caused) - receipts
        queued_th = f"เข้าคิวแจ้ง {notices} ฉบับ หลักฐาน {receipts} ฉบับ"
        queued_en = f"{notices} notice{'s' * (notices != 1)} and {receipts} receipt queued"
        name = certificate.words.organization_name if certificate.words else certificate.organization_code
        if certificate.level is Level.LAO:
            self.say(
                f"บันทึกแล้ว · ล็อกทะเบียน{name} · {queued_th} และปรับการ์ดของจังหวัด ในธุรกรรมเดียวกัน",
                f"Committed · register of {name} locked · {queued_en}, province's card marked, in one transaction",
                "models/schema/sqlite_triggers.py",
                "good",
            )
        else:
            self.say(
                f"บันทึกแล้ว · จังหวัดรับรอง{name} · {queued_th} ในธุรกรรมเดียวกัน",
                f"Committed · province certified {name} · {queued_en}, in one transaction",
                "models/certification/certify.py",
                "good",
            )

    def _tell_check(self, check: SpotCheck, name: str) -> None:
        assert self._seen is not None  # noqa: S101 - set by look()
        was_handed_in = self._seen.checks.get(check.id)
        is_handed_in = self._seen.checks[check.id] = check.handed_in_at is not None
        count = len(check.items)
        if was_handed_in is None:
            self.say(
                f"สุ่มตรวจสอบ{name} {count} ราย · ค่าสุ่มเกิดหลังล็อกทะเบียน จึงไม่มีใครเดาหรือเลือกได้",
                f"Spot-check of {name}: {count} drawn · seeded after the lock, so nobody could foresee or choose",
                "models/certification/spot_check.py",
            )
        if is_handed_in and not was_handed_in and check.incorrect:
            self.say(
                f"ส่งผลสุ่มตรวจสอบ{name} · มีที่ไม่ถูกต้อง รับรองไม่ได้ · ส่งคำขอเปิดให้แก้ไขในธุรกรรมเดียวกัน",
                f"Spot-check of {name} handed in · not all correct: it cannot be certified · a reopening is"
                " asked for, in one transaction",
                "models/spot_checks/spot_checking.py",
                "warn",
            )
        elif is_handed_in and not was_handed_in:
            self.say(
                f"ส่งผลสุ่มตรวจสอบ{name} · ถูกต้องทั้งหมด แก้ไขไม่ได้อีก",
                f"Spot-check of {name} handed in · all correct, and never changed again",
                "models/schema/sqlite_triggers.py",
                "good",
            )

    def _tell_message(self, message: OutboxMessage) -> None:
        assert self._seen is not None  # noqa: S101 - set by look()
        before, reason = self._seen.outbox.get(message.id), message.error or ""
        self._seen.outbox[message.id] = (message.state, message.attempts, reason)
        if before == self._seen.outbox[message.id] or message.kind == NoticeKind.RECEIPT:
            return
        if message.state is outbox.State.SENT:
            again = f" ในครั้งที่ {message.attempts}" if message.attempts > 1 else ""
            at = f" at attempt {message.attempts}" if message.attempts > 1 else ""
            self.say(f"ส่งแจ้งเตือนถึงแล้ว{again}", f"Notice delivered{at}", "bot/outbound/courier.py", "good")
        elif message.state is outbox.State.DEAD:
            self.say(
                f"ส่งแจ้งเตือนไม่ได้: {reason}", f"Notice undeliverable: {reason}", "bot/outbound/courier.py", "warn"
            )
        elif reason and message.state in (outbox.State.PENDING, outbox.State.UNCERTAIN):
            self.say(
                f"ส่งแจ้งเตือนยังไม่สำเร็จ ({reason}) · ยังอยู่ในคิว จะส่งใหม่เอง",
                f"Notice not delivered yet ({reason}) · still queued, sent again by itself",
                "models/notices/sending.py",
                "warn",
            )

    # --- guidance

    def _steps(
        self, officers: list[Officer], certificates: list[Certification], messages: list[OutboxMessage]
    ) -> None:
        levels = {certificate.level for certificate in certificates}
        sent = {message.kind for message in messages if message.state is outbox.State.SENT}
        self.steps = [
            {officer.account.role for officer in officers if officer.is_ready} == set(Role),
            Level.LAO in levels,
            NoticeKind.WAITING in sent,
            Level.PROVINCE in levels,
            NoticeKind.PROVINCE_CERTIFIED in sent,
        ]

    def _guide(self, officers: list[Officer], certificates: list[Certification], checks: list[SpotCheck]) -> None:
        """Highlight a phone's next button as long as its officer has something to do."""
        ready: dict[int, Account] = {
            officer.user_id: officer.account
            for officer in officers
            if officer.is_ready and officer.unlinked_at is None
        }
        certified: dict[Level, set[str]] = {level: set() for level in Level}
        for certificate in certificates:
            certified[certificate.level].add(certificate.organization_code)
        # Failed spot-checks wait for the operator.
        failed = {
            (check.organization_code, check.revision) for check in checks if check.handed_in_at and check.incorrect
        }
        waiting_codes = certified[Level.LAO] - certified[Level.PROVINCE]
        waiting = {
            certificate.organization.province_code
            for certificate in certificates
            if certificate.organization_code in waiting_codes
            and (certificate.organization_code, certificate.revision) not in failed
        }
        for user_id, phone in self._phones.all.items():
            account = ready.get(user_id)
            if account is None:
                phone.guided = True
            elif account.role is Role.LAO:
                phone.guided = account.organization_code not in certified[Level.LAO]
            else:
                phone.guided = account.province_code in waiting
