-- Links with which somebody may register once. Like a session's, the token is kept as its SHA-256 only.
--
-- created_by is the user who made it, 0 for nobody of this database, and no foreign key: whether that user still is one is
-- asked when the invitation is used, and its trace in a list outlives neither.
CREATE TABLE auth_invitations (
	token_hash {bytes32} NOT NULL PRIMARY KEY,
	id         {key}  NOT NULL,
	roles      {text} NOT NULL,
	note       {text} NOT NULL,
	created_by {int}  NOT NULL,
	created_at {int}  NOT NULL,
	expires_at {int}  NOT NULL
);
CREATE UNIQUE INDEX auth_invitations_id ON auth_invitations (id);
CREATE INDEX auth_invitations_expires ON auth_invitations (expires_at);
