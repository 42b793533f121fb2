-- A worker that died.
INSERT INTO worker_process (id, owners, name, host, pid, slots, started, seen, metrics) OVERRIDING SYSTEM VALUE VALUES
('1', '{worker-1-99-aaaa}', 'worker-1', 'archive', '99', '4', '2026-02-01 10:00:00+00', '2026-02-01 11:00:00+00', '');
SELECT setval(pg_get_serial_sequence('worker_process', 'id'), (SELECT max(id) FROM worker_process));
