"""The link between a chat and an account: how it begins, who is told, and what goes with it when it ends."""

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
    """The Telegram user is linked to an account; one active link each."""


async def link_officer(session: AsyncSession, user_id: int, checked: LoginCandidate, now: datetime) -> Officer:
    """Link a Telegram user to the account whose password it has just given (procedure, step 1 of both levels).

    `checked` is what the password was found to match; it must still stand. An officer who was linked to this
    account before keeps its name and position.

    Raises LoginRefused when the account changed meanwhile, AlreadyLinked, BadSeal, RecordBroken.
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
    """Link a Telegram user to an account that it has proved to be its own, by `password` or `invitation`.

    Who was linked to this account before keeps its name, position and PIN. A link whose seal does not fit ends by
    it. Raises AlreadyLinked.
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
    before = await _linked_before(session, user_id, account)
    pin_hash = before.pin_hash if before else None
    officer = Officer(
        account=account,
        user_id=user_id,
        full_name=before.full_name if before else None,
        position=before.position if before else None,
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
    """The link that a Telegram user had last to an account, if nobody has changed it without the secret key."""
    before = await session.scalar(
        select(Officer)
        .where(Officer.user_id == user_id, Officer.account_id == account.id)
        .order_by(Officer.id.desc())
        .limit(1)
    )
    if before is not None:
        try:
            await require_newest(session, account.unit, [before])
        except (BadSeal, RecordBroken):
            return None
    return before


async def announce_link(session: AsyncSession, officer: Officer, now: datetime) -> None:
    """Tell every other officer of the account that this one is linked and ready: a link that is nobody's of theirs
    must be seen at once (models/links/dispute.py). Once for each link.
    """
    for colleague in await linked_officers(session, [officer.account_id]):
        chat = colleague.user_id
        if colleague.id != officer.id and not await outbox.told(session, NoticeKind.LINKED, chat, [officer.id]):
            outbox.enqueue(session, NoticeKind.LINKED, chat, officer.id, now)
    await session.flush()


async def unlink_officer(
    session: AsyncSession, officer: Officer, now: datetime, by: str = "officer", but: int | None = None
) -> bool:
    """End one link, wherever that is done; its account must be loaded. False when it has ended already.

    What the bot has written into the chat while it was linked is taken away, but for the receipts and the message
    `but`, the card under the officer's own thumb; what was not sent yet is not sent any more.
    """
    # The row is what decides between two who end a link at once.
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
    """End a link that somebody without the secret key has changed: its seal does not fit afterwards either."""
    table = Officer.core()
    await session.execute(update(table).where(table.c.id == officer.id).values(unlinked_at=now))
    set_committed_value(officer, "unlinked_at", now)


async def _take_away(session: AsyncSession, officer: Officer, now: datetime, but: int | None) -> None:
    """Blank the chat's cards and notices; the link's end has been written."""
    chat = officer.user_id
    messages = set(await session.scalars(delete(Card).where(Card.chat_id == chat).returning(Card.message_id)))
    # A notice that was tapped, or a message that was blanked before, has become the card.
    messages.add(await session.scalar(select(Conversation.card_message_id).where(Conversation.chat_id == chat)))
    messages.update(await outbox.end_link(session, chat))
    if but is not None:
        # It goes on as the card of a chat that is not linked, and is to be blanked should it be linked again.
        await session.merge(Card(chat_id=chat, message_id=but, sent_at=now))
    await outbox.enqueue_blanks(session, chat, messages - {but, None}, now)


async def take_away_late(session: AsyncSession, chat_id: int, message_id: int, now: datetime) -> bool:
    """Blank a message about an account's business that was on its way while its chat's link ended. Whether it was:
    call it when the message has been sent, in the transaction that notes it.
    """
    # Held until the note is committed: whoever ends the link meanwhile sees the note.
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
    """Refuse the account from now on and end its links; the number of links that ended."""
    account.disabled_at = now
    await session.flush()
    ended = [
        await unlink_officer(session, officer, now, by="operator")
        for officer in await linked_officers(session, [account.id], hold=True)
    ]
    await record_change(session, account, "disabled", now)
    return sum(ended)
