-- A root of open files, and a token that is limited to a resource.
UPDATE root SET visibility = 'open' WHERE id = (SELECT min(id) FROM root);
INSERT INTO token (id, name, hash, scopes, created) OVERRIDING SYSTEM VALUE VALUES
('2', 'keeper', '\x0202020202020202020202020202020202020202020202020202020202020202', '{site:ogg,read}',
    '2026-01-01 11:00:00+00');
