"""Let the bytes of products be objects outside the database, with a record of how they were made."""

from __future__ import annotations

from armillary.migrations.scripts import execute

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

UPGRADE = """
ALTER TABLE product
    DROP CONSTRAINT product_kind_known,
    ALTER COLUMN content DROP NOT NULL,
    ADD COLUMN key text,
    ADD COLUMN step smallint NOT NULL DEFAULT 1,
    ADD COLUMN parameters jsonb,
    ADD COLUMN source text,
    ADD CONSTRAINT product_is_somewhere CHECK ((content IS NULL) <> (key IS NULL));
CREATE INDEX product_by_key ON product (key COLLATE "C") WHERE key IS NOT NULL;
INSERT INTO work_web_kind VALUES ('preview');
"""
"""Pictures that are in the database stay there until a worker moves them out, portion by portion.

Whoever asks for one whose object is lost has it made again, so the web role may submit its order.
"""

DOWNGRADE = """
DELETE FROM product WHERE content IS NULL OR kind NOT IN ('preview', 'thumbnail');
DELETE FROM work_web_kind WHERE kind = 'preview';
DROP INDEX product_by_key;
ALTER TABLE product
    DROP CONSTRAINT product_is_somewhere,
    DROP COLUMN source,
    DROP COLUMN parameters,
    DROP COLUMN step,
    DROP COLUMN key,
    ALTER COLUMN content SET NOT NULL,
    ADD CONSTRAINT product_kind_known CHECK (kind IN ('preview', 'thumbnail'));
"""
"""Objects outside the database are forgotten: they can be made again from the files."""


def upgrade() -> None:
    """Add what describes an object."""
    execute(UPGRADE)


def downgrade() -> None:
    """Keep the products whose bytes are in the database."""
    execute(DOWNGRADE)
