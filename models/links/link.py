"""The link between a chat and an account: making it, announcing it, ending it and deleting what depends on it."""

from datetime import datetime
from functools import cache

from sqlalchemy import Select, bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload
from sqlalchemy.orm.attributes import set_committed_value

from models.accounts.account import (
    PIN_CHOICE,
    Account,
    LoginCandidate,
    LoginRefused,
    Officer,
    linked_officers,
    record_change,
)
from models.audit import event_chain
from models.audit.digests import keyed_digest
from models.audit.replay import RecordBroken
from models.audit.row_seal import has_good_seal, hold_sealed, require_newest
from models.base.errors import DomainError
from models.chats.conversation import Card, Conversation
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.tables import drop_card_and_preference
from models.organizations.organization import Organization
from models.register.draft import drop_draft
from models.security.row_seal import BadSeal


class AlreadyLinked(DomainError):
    """The Telegram user already has an active link to an account; each user can have only one."""


async def link_officer(session: AsyncSession, user_id: int, checked: LoginCandidate, now: datetime) -> Officer:
    """Link a Telegram user to the account whose password the user has just given (procedure, step 1 of both
    levels).

    `checked` is the account and hash that the password matched. A user who was linked to this account before keeps
    name, position and PIN.

    Raises LoginRefused when the account or its password has changed since, AlreadyLinked, and BadSeal or
    RecordBroken when the account was changed without the secret key.
    """
    account = await session.scalar(
        select(Account)
        .where(Account.id == checked.account_id)
        .options(joinedload(Account.organization).joinedload(Organization.province), joinedload(Account.province))
        .with_for_update(of=Account)
    )
    if account is None or account.disabled_at or account.password_hash != checked.password_hash:
        raise LoginRefused
    await require_newest(session, account.unit, [account])
    return await add_link(session, user_id, account, now, "password")


async def add_link(session: AsyncSession, user_id: int, account: Account, now: datetime, how: str) -> Officer:
    """Link an authenticated Telegram user to an account, and record it. `how` is `password` or `invitation`.

    A user who was linked to this account before keeps name, position and PIN. An active link of the user with a
    bad seal is ended; one with a good seal raises AlreadyLinked.
    """
    linked = await session.scalar(
        select(Officer)
        .where(Officer.user_id == user_id, Officer.unlinked_at.is_(None))
        .options(joinedload(Officer.account))
    )
    if linked is not None:
        if await has_good_seal(session, linked):
            raise AlreadyLinked
        await unlink_officer(session, linked, now, by="bad seal")
    earlier_link = await _linked_before(session, user_id, account)
    pin_hash = earlier_link.pin_hash if earlier_link else None
    officer = Officer(
        account=account,
        user_id=user_id,
        full_name=earlier_link.full_name if earlier_link else None,
        position=earlier_link.position if earlier_link else None,
        linked_at=now,
        pin_hash=pin_hash,
        may_set_pin_until=None if pin_hash else now + PIN_CHOICE,
        last_seen_at=now,
    )
    session.add(officer)
    await session.flush()
    await event_chain.record(
        session,
        event_chain.Event.LOGIN,
        account.unit,
        now,
        username=account.username,
        officer=officer.id,
        user=user_id,
        by=how,
        pin=keyed_digest(event_chain.keyring(session), pin_hash),
    )
    return officer


async def _linked_before(session: AsyncSession, user_id: int, account: Account) -> Officer | None:
    """Return the user's newest link to the account; None when there is none or it was changed without the secret
    key.
    """
    earlier_link = await session.scalar(
        select(Officer)
        .where(Officer.user_id == user_id, Officer.account_id == account.id)
        .order_by(Officer.id.desc())
        .limit(1)
    )
    if earlier_link is not None:
        try:
            await require_newest(session, account.unit, [earlier_link])
        except (BadSeal, RecordBroken):
            return None
    return earlier_link


async def announce_link(session: AsyncSession, officer: Officer, now: datetime) -> None:
    """Notify every other officer of the account once that this officer is linked and ready.

    They can thus end at once a link that they do not recognize (models/links/dispute.py).
    """
    for colleague in await linked_officers(session, [officer.account_id]):
        chat = colleague.user_id
        if colleague.id != officer.id and not await outbox.told(session, NoticeKind.LINKED, chat, [officer.id]):
            outbox.enqueue(session, NoticeKind.LINKED, chat, officer.id, now)
    await session.flush()


async def announce_pin_reset(session: AsyncSession, officer: Officer, now: datetime) -> None:
    """Notify every other officer of the account, once for each new PIN, that this officer has a new PIN.

    Anyone with the officer's phone and the account's password, or an invitation, can choose one.
    """
    for colleague in await linked_officers(session, [officer.account_id]):
        if colleague.id != officer.id:
            occasion = f"{now.timestamp():.6f}"
            outbox.enqueue(session, NoticeKind.PIN_RESET, colleague.user_id, officer.id, now, occasion)
    await session.flush()


async def unlink_officer(
    session: AsyncSession, officer: Officer, now: datetime, by: str = "officer", but: int | None = None
) -> bool:
    """End one link and record it; its account must be loaded. Returns False when it has already ended.

    Blanks every message that the bot sent to the chat while it was linked, except receipts and the message `but`,
    the card that the officer has just tapped. Deletes the officer's draft, cards and unsent notices. `by` says in
    the event who ended the link.
    """
    # Locking the row serializes two concurrent calls for the same link.
    await hold_sealed(session, officer)
    if officer.unlinked_at is not None:
        return False
    try:
        await require_newest(session, officer.account.unit, [officer])
    except (BadSeal, RecordBroken):
        await _end_unsealed(session, officer, now)
    else:
        officer.unlinked_at = now
        await session.flush()
    await drop_draft(session, officer.id)
    await _take_away(session, officer, now, but)
    await drop_card_and_preference(session, officer.id)
    await event_chain.record(
        session,
        event_chain.Event.UNLINKED,
        officer.account.unit,
        now,
        username=officer.account.username,
        officer=officer.id,
        user=officer.user_id,
        by=by,
    )
    return True


async def _end_unsealed(session: AsyncSession, officer: Officer, now: datetime) -> None:
    """End a link that was changed without the secret key, and leave its seal bad."""
    table = Officer.core()
    await session.execute(update(table).where(table.c.id == officer.id).values(unlinked_at=now))
    set_committed_value(officer, "unlinked_at", now)


async def _take_away(session: AsyncSession, officer: Officer, now: datetime, but: int | None) -> None:
    """Blank the chat's cards and notices, except the message `but`; call it after the link's end was written."""
    chat = officer.user_id
    messages = set(await session.scalars(delete(Card).where(Card.chat_id == chat).returning(Card.message_id)))
    # The current card may be a notice that was tapped or a message blanked before, which has no Card row.
    messages.add(await session.scalar(select(Conversation.card_message_id).where(Conversation.chat_id == chat)))
    messages.update(await outbox.end_link(session, chat))
    if but is not None:
        # It stays as the card of the unlinked chat, and must be blanked if the chat is linked again.
        await session.merge(Card(chat_id=chat, message_id=but, sent_at=now))
    await outbox.enqueue_blanks(session, chat, messages - {but, None}, now)


async def take_away_late(session: AsyncSession, chat_id: int, message_id: int, now: datetime) -> bool:
    """Blank a message that was being sent while its chat's link ended. Returns whether the chat is unlinked.

    Call it after the message was sent, in the transaction that stores its id.
    """
    # The lock is held until the id is committed, so that a concurrent end of the link sees the message.
    if await session.scalar(_linked(), {"user": chat_id}) is not None:
        return False
    await outbox.enqueue_blanks(session, chat_id, [message_id], now)
    return True


@cache
def _linked() -> Select[int]:
    return (
        select(Officer.id)
        .where(Officer.user_id == bindparam("user"), Officer.unlinked_at.is_(None))
        .with_for_update(read=True)
    )


async def disable_account(session: AsyncSession, account: Account, now: datetime) -> int:
    """Disable an account, end its links and record it. Returns the number of links ended."""
    account.disabled_at = now
    await session.flush()
    ended = [
        await unlink_officer(session, officer, now, by="operator")
        for officer in await linked_officers(session, [account.id], hold=True)
    ]
    await record_change(session, account, "disabled", now)
    return sum(ended)
