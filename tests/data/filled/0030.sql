-- An ingestion root with a cube of an observation, its tag and what was derived of it, and a path that was retired.
INSERT INTO root (id, name, path, in_place, watched, claimed, identity, profile) OVERRIDING SYSTEM VALUE
VALUES (30, 'sst', 'file:///data/sst', 'false', 'false', 'true', 'by-path', 'sst');
INSERT INTO ingestion (root_id, path)
SELECT id, '2026/nb_3950_2026-01-01T10:00:00_scans=0-9.fits' FROM root WHERE name = 'sst';
INSERT INTO observation (key, date_beg, date_end)
VALUES ('2026-01-01T10:00:00', '2026-01-01 10:00:00+00', '2026-01-01 10:05:00+00');
INSERT INTO cube (oid, oid_given, file_id, root_id, path, instrument, observation_id, date_beg, date_end, made,
    grouping_tag, features_ingested, events_ingested, published, warnings, snapshot, added, updated)
SELECT '2026-01-01T10:00:00_3950_0-9', 'false', (SELECT min(id) FROM file), i.root_id, i.path, 'CHROMIS', o.id,
    o.date_beg, o.date_end, '2026-01-02 00:00:00+00', 'mosaic', 'true', 'false', 'true',
    '{"unknown word in FEATURES: blob"}', '{"size": 5760}', '2026-01-02 01:00:00+00', '2026-01-02 01:00:00+00'
FROM ingestion AS i, observation AS o;
INSERT INTO cube_tag (cube_id, vocabulary, term) SELECT id, 'FEATURES', 'Sunspot' FROM cube;
INSERT INTO cube_derived (cube_id, kind, media_type, content, made)
SELECT id, 'r0', 'application/json', '\x7b7d', '2026-01-02 01:00:00+00' FROM cube;
INSERT INTO retirement (root_id, path, size, mtime_ns, retired, actor)
SELECT id, '2026/old.fits', 2880, 1700000000000000000, '2026-01-03 00:00:00+00', 'operator' FROM root
WHERE name = 'sst';
