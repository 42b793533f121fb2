-- A token that is bound to an address and a group, grants to both, and what was recorded of them.
INSERT INTO token (id, name, hash, scopes, created, emails, groups) OVERRIDING SYSTEM VALUE VALUES
('4', 'owner', '\x0404040404040404040404040404040404040404040404040404040404040404', '{ingest}',
    '2026-01-01 11:30:00+00', '{owner@sun.example}', '{swedish}');
INSERT INTO access_grant (id, holder, principal, kind, subject, granted) OVERRIDING SYSTEM VALUE VALUES
('100', 'email', 'owner@sun.example', 'file', '/1', '2026-01-01 11:30:00+00'),
('101', 'group', 'swedish', 'file', '/1', '2026-01-01 11:30:00+00');
INSERT INTO grant_change (at, actor, action, holder, principal, kind, subject, origin)
VALUES ('2026-01-01 11:30:00+00', 'operator', 'given', 'email', 'owner@sun.example', 'file', '/1', 'order 1');
INSERT INTO embargoed_read (at, viewer, reason, file_id, version_id, name, first_byte, bytes)
VALUES ('2026-01-01 11:40:00+00', 'owner', 'canhaveit', '1', '1', 'N20260101S0001.fits', '0', '8640');
