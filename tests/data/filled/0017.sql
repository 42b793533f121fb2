-- A thumbnail whose bytes are an object.
INSERT INTO product (version_id, kind, media_type, width, height, sha256, made, content, key, step, parameters, source)
VALUES ('3', 'thumbnail', 'image/jpeg', '2', '2', 'ab', '2026-02-01 11:00:00+00', NULL, 'ab/ab.jpg', '1',
    '{"long_side_px": 1024}', '0123456789abcdef01234567');
