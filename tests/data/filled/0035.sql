-- A cube with a place on the solar disk.
INSERT INTO cube_derived (cube_id, kind, media_type, content, made)
SELECT id, 'wcs', 'application/json', convert_to('{"data": {"box": [-1.5, 2, 3, 4.25]}}', 'UTF8'),
    '2026-01-02 01:00:00+00' FROM cube;
