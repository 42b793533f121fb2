-- A site with two versions of its configuration, a note, the log beneath, a room, and one that is to be deleted.
INSERT INTO site_config (site, version) VALUES ('ogg', 2);
INSERT INTO site_config_version (site, version, created, actor, sha256, warnings, content) VALUES
('ogg', 1, '2026-02-01 11:00:00+00', 'keeper', '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    '{"no kind"}', '{}'),
('ogg', 2, '2026-02-01 12:00:00+00', 'keeper', NULL, '{}', NULL);
INSERT INTO night_note (site, content, created, expires) VALUES
('ogg', '{"message":"clouds"}', '2026-02-01 12:00:00+00', '2026-02-03 12:00:00+00');
INSERT INTO night_log (site, night, created, author, verified, entry, note, corrects) VALUES
('ogg', '2026-02-01', '2026-02-01 12:00:00+00', 'keeper', true, 'clouds', '{"message":"clouds"}', NULL);
INSERT INTO control_room (site, provider, room_id, slug, url, config, configured, made, expires) VALUES
('ogg', 'fake', 'r1', 'control-room-ogg', 'https://rooms.example/r1', '{}', true, '2026-02-01 12:00:00+00', NULL);
INSERT INTO control_room_left (provider, slug, room_id, site, since) VALUES
('fake', 'control-room-ogg-0', 'r0', 'ogg', '2026-02-01 12:00:00+00');
