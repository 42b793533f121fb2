-- A queue with an item that waits, one that is leased, and a dead letter; a key, an acknowledged claim, the mark of a
-- process, and a machine.
INSERT INTO pipe_queue (id, name, created, dedupe_window_s, max_attempts, priorities) OVERRIDING SYSTEM VALUE VALUES
(1, 'sq001', '2026-02-01 12:00:00+00', 60, 3, '[{"priority": 5, "request": "focus"}]');
INSERT INTO pipe_item (seq, queue_id, id, sender, payload, created_ms, priority, attempt, claim, worker, free_at, dead_at,
    reason) OVERRIDING SYSTEM VALUE VALUES
(1, 1, '1769947200000_00000001', 'sq001', '{"request": "reduce"}', 1769947200000, 0, 0, NULL, NULL, NULL, NULL, NULL),
(2, 1, '1769947200000_00000002', 'sq001', '{"request": "focus"}', 1769947200000, 5, 1,
    '00000000-0000-4000-8000-000000000001', 'worker', '2036-02-01 12:00:00+00', NULL, NULL),
(3, 1, '1769947200000_00000003', 'sq001', 'null', 1769947200000, 0, 3, NULL, 'worker', NULL, '2026-02-01 12:00:00+00',
    'no disk');
INSERT INTO pipe_key (queue_id, key, until, id, sender, payload, created_ms) VALUES
(1, 'key:a', '2036-02-01 12:00:00+00', '1769947200000_00000001', 'sq001', '{"request": "reduce"}', 1769947200000);
INSERT INTO pipe_acknowledged (claim, queue_id, acknowledged) VALUES
('00000000-0000-4000-8000-000000000002', 1, '2026-02-01 12:00:00+00');
INSERT INTO pipe_writer (id, batch, used) VALUES ('00000000-0000-4000-8000-000000000003', 7, '2026-02-01 12:00:00+00');
INSERT INTO pipe_machine (name, status, details, updated_ms) VALUES ('pipe1', '"idle"', '{"disk": 0.5}', 1769947200000);
