-- A vocabulary that was read, and one whose source was away when it was to be read for the first time.
INSERT INTO vocabulary (name, source, terms, digest, etag, modified, fetched, checked) VALUES ('FEATURES',
    'https://vocabulary.example/features.txt', '{Sunspot,"Light bridge"}', repeat('ab', 32), '"1"',
    'Mon, 05 Jan 2026 10:00:00 GMT', '2026-01-05 10:00:00+00', '2026-01-06 10:00:00+00');
INSERT INTO vocabulary (name, source, checked, error)
VALUES ('EVENTS', 'https://vocabulary.example/events.txt', '2026-01-06 10:00:00+00', 'there was no answer within 10 s');
