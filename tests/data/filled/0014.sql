-- A run that failed in a step, and what waits behind it; an order that is tried for ever; a kind that is due.
INSERT INTO work_order (id, kind, key, args, state, attempts, max_attempts, error, error_code, step, steps, response, fence, revision, unique_key, merging, cancelled, started, finished) OVERRIDING SYSTEM VALUE VALUES
('26', 'echo', 'steps:1', '{"echo": 1}', 'Failed', '1', NULL, 'The disk failed.', 'storage_failed', 'read', '[{"ms": 3, "why": "The disk failed.", "name": "read", "outcome": "failed"}]', '{"ok": false, "error": "The disk failed.", "value": null}', '1', '1', 'steps:1', '{"keep": true, "sticky": ["force"], "optional": []}', NULL, '2026-02-01 11:00:00+00', '2026-02-01 11:00:01+00'),
('27', 'echo', 'steps:1', '{"echo": 2}', 'Queued', '0', '0', NULL, NULL, NULL, NULL, NULL, '0', '2', 'steps:1', NULL, NULL, NULL, NULL);
SELECT setval(pg_get_serial_sequence('work_order', 'id'), (SELECT max(id) FROM work_order));
INSERT INTO work_period (kind, due) VALUES ('clean', '2026-02-01 11:00:00+00');
