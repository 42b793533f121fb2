-- An order that is tried again in the place of the one that failed, and one that waits for room.
INSERT INTO work_order (id, kind, key, args, state, attempts, error, place, held) OVERRIDING SYSTEM VALUE VALUES
('24', 'ingest', '1:gone.fits', '{"path": "", "root_id": 1, "filename": "gone.fits"}', 'Queued', '0', NULL, '22', NULL),
('25', 'ingest', '1:waits.fits', '{"path": "", "root_id": 1, "filename": "waits.fits"}', 'Queued', '0', 'No space left on device.', NULL, '1');
SELECT setval(pg_get_serial_sequence('work_order', 'id'), (SELECT max(id) FROM work_order));
