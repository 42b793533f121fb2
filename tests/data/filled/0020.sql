-- A tree whose files are known by their paths, and a file of it that has no version any more.
INSERT INTO root (id, name, path, in_place, watched, identity) OVERRIDING SYSTEM VALUE VALUES
('2', 'nights', '/data/nights', 'false', 'false', 'by-path');
INSERT INTO file (id, name, directory, root_id) OVERRIDING SYSTEM VALUE VALUES
('3', 'Light_001.fits', 'night1', '2');
