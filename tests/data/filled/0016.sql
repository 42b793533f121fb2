-- A consumer that has acknowledged all that was forgotten.
INSERT INTO feed_consumer (topic, name, generation, number, id, registered, seen) VALUES
('1', 'mirror', '1', '3', '0', '2026-02-01 11:00:00+00', '2026-02-01 11:00:00+00');
