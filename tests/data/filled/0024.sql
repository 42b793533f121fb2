INSERT INTO image (directory, base_filename, site, data_type, arrived, sort_date, capture_date, filter_used,
    header, header_from, shown, jpg_medium_key, jpg_medium_rank)
VALUES ('data', 'saf-sq003ms-20261130-00000012', 'saf', 'EX', '2026-11-30 02:04:00+00', '2026-11-30 02:03:04.567+00',
    '2026-11-30 02:03:04.567+00', 'w', '{"FILTER": "w"}', 'text', '{"fits_filename": ""}',
    'data/saf-sq003ms-20261130-00000012-EX10.jpg', 0);
INSERT INTO arrival (site, filename, size_bytes, arrived, expires)
VALUES ('saf', 'data/saf-sq003ms-20261130-00000012-EX10.jpg', 17, '2026-11-30 02:04:00+00', '2026-12-02 02:04:00+00');
INSERT INTO info_reservation (site, channel, base_filename, reserved)
VALUES ('saf', 1, 'saf-sq003ms-20261130-00000012', '2026-11-30 02:04:00+00');
INSERT INTO info_image (site, channel, base_filename, data_type, file_date, expires, objects)
VALUES ('saf', 1, 'saf-sq003ms-20261130-00000012', 'EX', '20261130', '2026-12-02 02:04:00+00',
    '{"jpg_10": "info-images/saf-sq003ms-20261130-00000012-EX10.jpg"}');
INSERT INTO object_crc32 (version_id, crc32) SELECT min(id), 3735928559 FROM version;
INSERT INTO zip_selection (id, filename, made, expires, members)
VALUES ('00000000-0000-4000-8000-000000000024', 'saf-1.zip', '2026-11-30 02:04:00+00', '2026-12-02 02:04:00+00',
    '[{"missing": "data/x.fits"}]');
