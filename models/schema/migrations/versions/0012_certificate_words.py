"""Certificates bear the words of their organizations; those of older ones stand in a table beside them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import text

revision = "0012"
down_revision = "0011"

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# What a certificate says of its organization: nothing where it was made before this revision.
WORDS = {
    "organization_name": 260,
    "organization_type": 60,
    "district_th": 100,
    "province_code": 2,
    "province_th": 100,
    "province_en": 100,
}
# Names and texts of models/schema/sqlite_triggers.py and models/schema/postgresql_triggers.py as they were at this
# revision. The note of the highest rows is about one table more.
OLD_SQLITE_TRIGGERS = ("last_row_no_insert", "last_row_no_other")
SQLITE_STATEMENTS = (
    """INSERT INTO last_row (table_name, highest) VALUES ('certificate_words', 0)""",
    """CREATE TRIGGER certificate_words_no_replace BEFORE INSERT ON certificate_words WHEN EXISTS (
    SELECT 1 FROM certificate_words AS other
    WHERE (other.id = NEW.id OR other.certification_id = NEW.certification_id)) BEGIN SELECT RAISE(ABORT, 'a row of certificate_words is never changed'); END""",
    """CREATE TRIGGER certificate_words_no_update BEFORE UPDATE ON certificate_words BEGIN SELECT RAISE(ABORT, 'a row of certificate_words is never changed'); END""",
    """CREATE TRIGGER certificate_words_no_delete BEFORE DELETE ON certificate_words BEGIN SELECT RAISE(ABORT, 'a row of certificate_words is never changed'); END""",
    """CREATE TRIGGER certificate_words_last_row BEFORE INSERT ON certificate_words
    WHEN (SELECT highest FROM last_row WHERE table_name = 'certificate_words') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM certificate_words)
    THEN (SELECT rowid FROM certificate_words ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM certificate_words)
    THEN (SELECT rowid FROM certificate_words ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'certificate_words'; END""",
    """CREATE TRIGGER certificate_words_new_row AFTER INSERT ON certificate_words
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'certificate_words' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of certificate_words is inserted under a new number only'); END""",
    """CREATE TRIGGER last_row_no_insert BEFORE INSERT ON last_row BEGIN SELECT RAISE(ABORT, 'the highest row of a table is noted as it is'); END""",
    """CREATE TRIGGER last_row_no_other BEFORE UPDATE ON last_row
    WHEN NEW.table_name IS NOT OLD.table_name OR NOT ((NEW.table_name = 'round' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM round)
    THEN (SELECT rowid FROM round ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'organization' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM organization)
    THEN (SELECT rowid FROM organization ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'roster' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM roster)
    THEN (SELECT rowid FROM roster ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'personnel_record' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM personnel_record)
    THEN (SELECT rowid FROM personnel_record ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'certification' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM certification)
    THEN (SELECT rowid FROM certification ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'reopening' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM reopening)
    THEN (SELECT rowid FROM reopening ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'remark' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM remark)
    THEN (SELECT rowid FROM remark ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'audit_event' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM audit_event)
    THEN (SELECT rowid FROM audit_event ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'spot_check' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM spot_check)
    THEN (SELECT rowid FROM spot_check ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'spot_check_item' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM spot_check_item)
    THEN (SELECT rowid FROM spot_check_item ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'certificate_words' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM certificate_words)
    THEN (SELECT rowid FROM certificate_words ORDER BY rowid DESC LIMIT 1) ELSE 0 END))) BEGIN SELECT RAISE(ABORT, 'the highest row of a table is noted as it is'); END""",
)
POSTGRESQL_STATEMENTS = (
    """CREATE TRIGGER certificate_words_insert_only BEFORE DELETE OR UPDATE ON {schema}.certificate_words FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.certificate_words ENABLE ALWAYS TRIGGER certificate_words_insert_only""",
    """CREATE TRIGGER certificate_words_no_truncate BEFORE TRUNCATE ON {schema}.certificate_words FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.certificate_words ENABLE ALWAYS TRIGGER certificate_words_no_truncate""",
)


def upgrade() -> None:
    for name, length in WORDS.items():
        op.add_column("certification", sa.Column(name, sa.String(length)))
    op.create_table(
        "certificate_words",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("certification_id", BIG_KEY, nullable=False),
        *(sa.Column(name, sa.String(length), nullable=False) for name, length in WORDS.items()),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["certification_id"],
            ["certification.id"],
            name=op.f("fk_certificate_words_certification_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate_words")),
        sa.UniqueConstraint("certification_id", name=op.f("uq_certificate_words_certification_id")),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        for name in OLD_SQLITE_TRIGGERS:
            op.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in SQLITE_STATEMENTS:
            op.execute(statement)
        return
    schema = op.get_bind().scalar(text("SELECT quote_ident(current_schema())"))
    for statement in POSTGRESQL_STATEMENTS:
        op.execute(statement.replace("{schema}", schema))
