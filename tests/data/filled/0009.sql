-- What was noted before the first change that is kept has been forgotten.
INSERT INTO change_horizon (generation, xid, id) VALUES ('1', '3', '0');
