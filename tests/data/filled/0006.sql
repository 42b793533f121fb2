-- One destination that was given up, and one that has both files, one of them by a header update.
INSERT INTO export_destination (name, url, pattern, active, away_until, error) VALUES
('mirror', 'https://archive.example.org', 'N2026*', 'false', NULL, NULL),
('tape', 'https://tape.example.org', '*', 'false', '2026-02-01 12:00:00+00', 'connection refused');
INSERT INTO export (destination, path, name, version_id, data_md5, how, sent_bytes, header_update, md5_before_header_update, md5_after_header_update, exported) VALUES
('mirror', '', 'N20260101S0001.fits', '3', '84c58a93f7957bea651fc57a6d2e22b2', 'header', '0', '{"values": {"generic": [["OBJECT", "M 31"]]}}', 'bbfac876bd47254cbf618f111f09d70a', '84c58a93f7957bea651fc57a6d2e22b2', '2026-02-01 11:00:00+00'),
('mirror', '', 'N20260101S0002.fits', '2', '3b54349829f8247697474af0ba54eceb', 'bytes', '1808', NULL, NULL, NULL, '2026-02-01 11:00:01+00');
