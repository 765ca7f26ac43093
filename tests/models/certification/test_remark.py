"""What every remark obeys: its words, its author, its side."""

from models.certification.remark import remark_text


def test_what_cannot_be_seen_is_left_out() -> None:
    assert remark_text("ก\u202eขคง\u200b  <b>จ</b>\t{x}\u0000\n\n  ฉช ") == "กขคง <b>จ</b> {x}\nฉช"
