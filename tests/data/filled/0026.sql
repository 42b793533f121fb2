-- A header of one exposure, its service, a command to that, and a consumer that has taken a revision.
INSERT INTO header_config (instrument, digest, config_rev, recipe, templates) VALUES ('spec1', 'd1', 'c1', '{}', '{}');
INSERT INTO exposure (instrument, image_id, named, state, config, moments, opened_at, last_t, day_obs, latest, changed,
    rendered, due, due_because)
SELECT 'spec1', 'AT_O_20260101_000001', 'AT_O_20260101_000001', 'PUBLISHED', id, '{}', 1767312037000000000,
    1767312038000000000, '20260101', '{"raw": {"revision": 1, "content_hash": "h1"}}', 2, 2, 1767312098000000000, 'd2'
FROM header_config;
INSERT INTO exposure_transition (exposure, state, cause, revision) SELECT id, 'PUBLISHED', 'end', 1 FROM exposure;
INSERT INTO header_revision (exposure, product, revision, instrument, image_id, day_obs, content_hash, inputs_hash,
    complete, announcement, sidecar, created)
SELECT id, 'raw', 1, instrument, image_id, day_obs, 'h1', 'i1', true, '{}', '\x00', 1767312039000000000 FROM exposure;
INSERT INTO header_object (exposure, product, revision, extension, key)
SELECT exposure, product, revision, 'fits', 'spec1/header/20260101/a/a.raw.r1.fits' FROM header_revision;
INSERT INTO header_service (instrument, state, config, epoch) SELECT 'spec1', 'ENABLED', id, 3 FROM header_config;
INSERT INTO header_beat (instrument, beat, facts, metrics) VALUES ('spec1', '2026-01-02 00:00:00+00', '{}', '');
INSERT INTO header_command (instrument, name, actor, outcome) VALUES ('spec1', 'enable', 'ann', 'done');
INSERT INTO header_consumer (name, instruments, generation, number, id) VALUES ('pixels', '{spec1}', 0, 0, 0);
INSERT INTO header_taken (consumer, instrument, image_id, product, revision)
VALUES ('pixels', 'spec1', 'AT_O_20260101_000001', 'raw', 1);
INSERT INTO header_shown (consumer, generation, number, id, instrument, image_id, product, revision)
VALUES ('pixels', 0, 1, 1, 'spec1', 'AT_O_20260101_000001', 'raw', 1);
