-- The archive has been opened once: it knows its directory, and the path of its own root is relative to that.
UPDATE archive_identity SET id = '3f0c4c52-4f5f-4f8e-9d0c-0a51a2a7a001', path = '/data/archive', directory = '11:2', filesystem = '3:4';
UPDATE root SET path = 'store' WHERE name = 'store';
