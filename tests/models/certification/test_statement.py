"""The words that are agreed to: the procedure's own, named by level, version and language, and found again."""

import pytest

from models.certification.certificate import Level
from models.certification.statement import CURRENT, agreed_statement, statement, statement_name
from models.chats.conversation import Language


def test_the_laos_words_are_those_of_the_procedure() -> None:
    assert statement(Level.LAO, Language.THAI, 1) == (
        "หากรับรองข้อมูลแล้ว อปท. จะไม่สามารถแก้ไขหรือบันทึกข้อมูลใดๆ เพิ่มเติมได้อีก"
    )


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("language", Language)
def test_what_a_certificate_names_is_found_again(level: Level, language: Language) -> None:
    name = statement_name(level, language)
    assert name == f"{level.value}/{CURRENT}/{language.value}"
    assert agreed_statement(name) == statement(level, language) != ""
    # As long as the column.
    assert len(name) <= 40


def test_each_version_that_was_ever_agreed_to_stays() -> None:
    texts = [
        statement(level, language, version)
        for version in range(1, CURRENT + 1)
        for level in Level
        for language in Language
    ]
    assert len(set(texts)) == len(texts) == 4 * CURRENT


@pytest.mark.parametrize("name", ["", "lao", "lao/1"])
def test_a_certificate_from_before_there_were_versions_names_none(name: str) -> None:
    assert agreed_statement(name) == ""


@pytest.mark.parametrize("name", ["lao/99/th", "nobody/1/th"])
def test_words_that_nobody_ever_saw_are_not_made_up(name: str) -> None:
    with pytest.raises(KeyError):
        agreed_statement(name)
