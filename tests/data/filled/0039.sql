INSERT INTO status_sample (
    at, workers, waiting, started, held, failed, oldest_waiting_s, database_bytes, events, disks
) VALUES ('2026-01-01 05:00+00', 2, 3, 1, 0, 0, 1.5, 31457280, 7, '{"store": [1000, 4000]}');
