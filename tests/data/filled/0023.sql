-- A token for single actions at two sites, a hidden root, and a grant of metadata.
INSERT INTO token (id, name, hash, scopes, created) OVERRIDING SYSTEM VALUE VALUES
('3', 'saf', '\x0303030303030303030303030303030303030303030303030303030303030303',
    '{config:saf,note:saf,pipe.produce:saf,pipe.consume:mrc}', '2026-01-01 11:30:00+00');
INSERT INTO root (id, name, path, in_place, visibility) OVERRIDING SYSTEM VALUE VALUES
('99', 'secret', '/data/secret', 'true', 'hidden');
INSERT INTO access_grant (id, principal, kind, subject, granted, level) OVERRIDING SYSTEM VALUE VALUES
('99', 'saf', 'program', 'GN-2026A-Q-9', '2026-01-01 11:30:00+00', 'metadata');
