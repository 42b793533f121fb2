INSERT INTO header_merge (file, instrument, image_id, detector, revision, merged, conflicts, noted)
SELECT min(id), 'spec1', 'AT_O_20261130_000001', 'R00_S00', 1, '2026-11-30 01:00:00+00',
    '[{"hdu": "PRIMARY", "key": "TELESCOP", "ours": "another", "theirs": "Survey 1.2m", "kept": "header"}]',
    '2026-11-30 00:59:00+00' FROM file;
