-- A cube whose entry in the feed was written by its trigger, and another one that was forgotten.
UPDATE cube SET published = false;
INSERT INTO cube (oid, oid_given, file_id, root_id, path, instrument, observation_id, features_ingested,
    events_ingested, published, warnings, snapshot, added, updated)
SELECT 'another', 'true', file_id, root_id, path, instrument, observation_id, 'false', 'false', 'true', '{}', '{}',
    added, updated FROM cube;
DELETE FROM cube WHERE oid = 'another';
