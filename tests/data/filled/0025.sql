-- Two samples of a topic, one of which JSON has no words for.
INSERT INTO bus_sample (id, source, topic, epoch, seq, kind, t_event, t_received, expires, assumed, skewed, payload, odd)
VALUES (65536, 'weather:301', 'weather', 'boot', 1, 'telemetry', 1767312037000000000, 1767312037012345000, NULL, false,
    false, '{"pressure": 74310.0, "list": [1e5, 9007199254740993]}', NULL),
(65537, 'weather:301', 'weather', 'boot', 2, 'event', 1767312038000000000, 1767312038012345000, 1767312098000000000,
    false, false, '{"pressure": null}', '[[["pressure"], "NaN"]]');
