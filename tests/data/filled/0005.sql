-- The edit was part of a change set, which left the other file as it was.
INSERT INTO change_set (id, actor, address, why, batch, wanted, state, reverter, created, finished) VALUES
('7', 'observer', '127.0.0.1', 'a test', 'night 7', '{"values": {"generic": [["OBJECT", "M 31"]]}, "selection": [], "keywords": [], "names": ["N20260101S0001.fits", "N20260101S0002.fits"], "reject_new": false, "extension": null}', 'completed', NULL, '2026-02-01 10:50:00+00', '2026-02-01 10:51:00+00');
INSERT INTO change_set_file (change_set, file_id, state, order_id, edit_id, error) VALUES
('7', '1', 'changed', '7', '1', NULL),
('7', '2', 'refused', NULL, NULL, 'Protected keyword: NAXIS');
UPDATE edit SET change_set = 7 WHERE id = 1;
