-- The virtual observatory as a destination, and a record that it has acknowledged.
INSERT INTO export_destination (name, url, pattern, active, away_until, error, sort) VALUES
('SVO', 'https://svo.example.org/service/api/svo', '', 'false', NULL, NULL, 'svo');
INSERT INTO svo_record (dataset, oid, file_id, digest, acknowledged)
SELECT 'CHROMIS', '2026-01-01T10:00:00_3950_0-9', min(id),
    '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', '2026-11-30 02:00:00+00' FROM file;
