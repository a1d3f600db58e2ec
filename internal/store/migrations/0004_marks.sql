-- What happens once, and what is remembered for a while: a login attempt whose answer has come, a logout that was told, a
-- provider's session that has ended.
--
-- hash is the SHA-256 of what it is about, which may be a secret. After expires_at nobody asks for it any more.
CREATE TABLE auth_marks (
	realm      {key} NOT NULL,
	hash       {bytes32} NOT NULL,
	value      {int} NOT NULL,
	expires_at {int} NOT NULL,
	PRIMARY KEY (realm, hash)
);
CREATE INDEX auth_marks_expires ON auth_marks (expires_at);
