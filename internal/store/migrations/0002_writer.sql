-- The row that a transaction locks first, where the database has more than one writer.
INSERT INTO auth_counters (name, value) VALUES ('writer', 0);
