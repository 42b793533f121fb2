"""Create the roles of the program and the table of work orders.

Revision ID: 0001
Revises: nothing
"""

from __future__ import annotations

from alembic import op

from armillary.migrations.scripts import WEB, WORKER, execute, grant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Roles belong to the whole server: another database of it may have made them, even at this moment.
ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {role} LOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE insufficient_privilege USING
            MESSAGE = 'The role {role} is missing, and ' || current_user || ' may not make it',
            HINT = 'Let an administrator of the server run: CREATE ROLE {role} LOGIN';
END $$
"""

# What a membership inherits is said with each grant from PostgreSQL 16 on. Before, it is a property of the member,
# and PL/pgSQL refuses the whole block if it holds grammar that the server does not know: hence a text.
MEMBERSHIP = """
DO $$ BEGIN
    EXECUTE 'GRANT {role} TO CURRENT_USER' || CASE
        WHEN current_setting('server_version_num')::integer >= 160000 THEN ' WITH INHERIT FALSE, SET TRUE'
        ELSE '' END;
EXCEPTION WHEN insufficient_privilege THEN NULL;
END $$
"""

TABLE = """
CREATE TABLE work_order (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT work_order_pk PRIMARY KEY,
    kind text NOT NULL,
    key text,
    args jsonb NOT NULL CONSTRAINT work_order_args_object CHECK (jsonb_typeof(args) = 'object'),
    next_args jsonb,
    state text NOT NULL DEFAULT 'Queued'
        CONSTRAINT work_order_state_known CHECK (state IN ('Queued', 'Started', 'Completed', 'Failed')),
    priority integer NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    max_attempts integer CONSTRAINT work_order_max_attempts_positive CHECK (max_attempts > 0),
    error text,
    response jsonb,
    intent jsonb,
    lease_owner text,
    lease_until timestamptz,
    fence bigint NOT NULL DEFAULT 0,
    leader_id bigint,
    revision integer NOT NULL DEFAULT 1,
    claimed_revision integer NOT NULL DEFAULT 0,
    unique_key text,
    request_id uuid,
    item_index integer,
    actor text NOT NULL DEFAULT '',
    batch text,
    response_required boolean NOT NULL DEFAULT false,
    added timestamptz NOT NULL DEFAULT now(),
    started timestamptz,
    finished timestamptz,
    expires timestamptz,
    CONSTRAINT work_order_lease_while_started
        CHECK ((state = 'Started') = (lease_owner IS NOT NULL)
            AND (state = 'Started') = (lease_until IS NOT NULL)),
    CONSTRAINT work_order_leader_unless_queued CHECK (leader_id IS NULL OR state <> 'Queued'),
    CONSTRAINT work_order_finished_when_terminal
        CHECK ((state IN ('Completed', 'Failed')) = (finished IS NOT NULL))
) WITH (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 1000
);
CREATE INDEX work_order_claim ON work_order (priority DESC, id) WHERE state = 'Queued';
CREATE INDEX work_order_of_key ON work_order (key, id)
    WHERE state IN ('Queued', 'Started') AND key IS NOT NULL;
CREATE UNIQUE INDEX work_order_one_started_per_key ON work_order (key)
    WHERE state = 'Started' AND leader_id IS NULL AND key IS NOT NULL;
CREATE UNIQUE INDEX work_order_one_waiting_per_unique_key ON work_order (unique_key)
    WHERE state IN ('Queued', 'Started') AND unique_key IS NOT NULL;
CREATE INDEX work_order_lease ON work_order (lease_until) WHERE state = 'Started';
CREATE INDEX work_order_of_request ON work_order (request_id, item_index) WHERE request_id IS NOT NULL;
"""

# A submission cannot say that the work is done.
SUBMITTED = (
    "kind, key, args, priority, not_before, max_attempts, unique_key,"
    " request_id, item_index, actor, batch, response_required"
)

# What is submitted may have to merge with a waiting order. The web role may not change orders, so it may not
# call this; it submits nothing that merges.
MERGE = """
CREATE FUNCTION work_order_merge(orders jsonb) RETURNS TABLE (id bigint, unique_key text)
LANGUAGE sql SET search_path = pg_catalog, public, pg_temp
AS $$
    INSERT INTO public.work_order AS w (
        kind, key, args, priority, not_before, max_attempts, unique_key,
        request_id, item_index, actor, batch, response_required
    )
    SELECT o->>'kind', o->>'key', o->'args', (o->>'priority')::integer,
        coalesce((o->>'not_before')::timestamptz, now()), (o->>'max_attempts')::integer, o->>'unique_key',
        (o->>'request_id')::uuid, (o->>'item_index')::integer, o->>'actor', o->>'batch',
        (o->>'response_required')::boolean
    FROM jsonb_array_elements(orders) WITH ORDINALITY AS list (o, place)
    ORDER BY place
    ON CONFLICT (unique_key) WHERE state IN ('Queued', 'Started') AND unique_key IS NOT NULL
    DO UPDATE SET
        revision = w.revision + 1,
        args = CASE w.state WHEN 'Queued' THEN w.args || EXCLUDED.args ELSE w.args END,
        next_args = CASE w.state WHEN 'Started' THEN coalesce(w.next_args, '{}') || EXCLUDED.args END,
        priority = greatest(w.priority, EXCLUDED.priority),
        not_before = least(w.not_before, EXCLUDED.not_before),
        response_required = w.response_required OR EXCLUDED.response_required
    RETURNING w.id, w.unique_key
$$
"""


def upgrade() -> None:
    """Create roles, table and rights."""
    for role in (WORKER, WEB):
        op.execute(ROLE.format(role=role))
        op.execute(MEMBERSHIP.format(role=role))
    execute(TABLE)
    op.execute(MERGE)
    op.execute("REVOKE ALL ON FUNCTION work_order_merge(jsonb) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION work_order_merge(jsonb) TO {WORKER}")
    grant(WORKER, "SELECT, INSERT, UPDATE, DELETE", "work_order")
    grant(WEB, f"SELECT, INSERT ({SUBMITTED})", "work_order")
    for role in (WORKER, WEB):
        grant(role, "SELECT", "alembic_version")


def downgrade() -> None:
    """Drop the table; the roles stay, since other databases of the server may use them."""
    op.execute("DROP FUNCTION work_order_merge(jsonb)")
    op.execute("DROP TABLE work_order")
