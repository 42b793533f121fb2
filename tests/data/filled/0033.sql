-- The movie of a cube that there cannot be, as it was made of what lay beside the file.
INSERT INTO product (version_id, kind, media_type, sha256, made, content, step, parameters, source)
SELECT min(id), 'video', 'text/plain', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '2026-01-02 01:00:00+00', 'none', 1, '{"video_px": 1024}', 'file:0123456789abcdef' FROM version;
