-- Accounts, their sessions, and the feed that tells every instance what changed.
--
-- {key} is text of at most 1024 bytes that is compared byte by byte: names are canonical before they come here, and a
-- collation that folds case or accents would make two of them one. {text} is never compared. {int} has 64 bits; times
-- are Unix seconds. Every table is named auth_*, since the database may be the application's own.

-- Numbers that never come twice: user ids, role versions, feed entries. A rowid or a sequence wouldn't do: SQLite gives
-- the highest id of a deleted row anew, and a sequence's numbers become visible in another order than they were taken.
CREATE TABLE auth_counters (
	name  {key} NOT NULL PRIMARY KEY,
	value {int} NOT NULL
);
INSERT INTO auth_counters (name, value) VALUES ('feed', 0);
INSERT INTO auth_counters (name, value) VALUES ('user', 0);
INSERT INTO auth_counters (name, value) VALUES ('role', 0);

CREATE TABLE auth_users (
	id            {int}  NOT NULL PRIMARY KEY,
	realm         {key}  NOT NULL,
	username      {text} NOT NULL,
	username_key  {key}  NOT NULL,
	password_hash {key}  NOT NULL,
	password_at   {int}  NOT NULL,
	disabled      {int}  NOT NULL,
	created_at    {int}  NOT NULL,
	name          {text} NOT NULL,
	display_name  {text} NOT NULL,
	initials      {text} NOT NULL,
	color         {text} NOT NULL,
	avatar_url    {text} NOT NULL,
	workspace     {text} NOT NULL,
	settings      {text} NOT NULL
);
CREATE UNIQUE INDEX auth_users_key ON auth_users (realm, username_key);

CREATE TABLE auth_user_permissions (
	user_id  {int} NOT NULL,
	resource {key} NOT NULL,
	action   {key} NOT NULL,
	PRIMARY KEY (user_id, resource, action),
	FOREIGN KEY (user_id) REFERENCES auth_users (id)
);

CREATE TABLE auth_roles (
	name        {key}  NOT NULL PRIMARY KEY,
	description {text} NOT NULL,
	version     {int}  NOT NULL
);

CREATE TABLE auth_role_permissions (
	role     {key} NOT NULL,
	resource {key} NOT NULL,
	action   {key} NOT NULL,
	PRIMARY KEY (role, resource, action),
	FOREIGN KEY (role) REFERENCES auth_roles (name)
);

CREATE TABLE auth_user_roles (
	user_id {int} NOT NULL,
	role    {key} NOT NULL,
	PRIMARY KEY (user_id, role),
	FOREIGN KEY (user_id) REFERENCES auth_users (id),
	FOREIGN KEY (role) REFERENCES auth_roles (name)
);
CREATE INDEX auth_user_roles_role ON auth_user_roles (role);

CREATE TABLE auth_externals (
	issuer  {key}  NOT NULL,
	subject {key}  NOT NULL,
	user_id {int}  NOT NULL,
	claims  {text} NOT NULL,
	PRIMARY KEY (issuer, subject),
	FOREIGN KEY (user_id) REFERENCES auth_users (id)
);
CREATE INDEX auth_externals_user ON auth_externals (user_id);

-- Of a token only its SHA-256 is kept: who reads the database, or a backup of it, can't log in with what is there.
CREATE TABLE auth_sessions (
	token_hash {bytes32} NOT NULL PRIMARY KEY,
	id         {key}  NOT NULL,
	user_id    {int}  NOT NULL,
	realm      {key}  NOT NULL,
	created_at {int}  NOT NULL,
	seen_at    {int}  NOT NULL,
	expires_at {int}  NOT NULL,
	method     {text} NOT NULL,
	address    {text} NOT NULL,
	agent      {text} NOT NULL,
	issuer     {key}  NOT NULL,
	subject    {key}  NOT NULL,
	sid        {key}  NOT NULL,
	data       {text} NOT NULL,
	FOREIGN KEY (user_id) REFERENCES auth_users (id)
);
CREATE UNIQUE INDEX auth_sessions_user ON auth_sessions (user_id, realm, id);
CREATE INDEX auth_sessions_subject ON auth_sessions (issuer, subject);
CREATE INDEX auth_sessions_sid ON auth_sessions (issuer, sid);
CREATE INDEX auth_sessions_expires ON auth_sessions (expires_at);
CREATE INDEX auth_sessions_seen ON auth_sessions (realm, seen_at);

CREATE TABLE auth_feed (
	seq        {int} NOT NULL PRIMARY KEY,
	mark       {int} NOT NULL,
	user_id    {int} NOT NULL,
	token_hash {bytes32},
	created_at {int} NOT NULL
);

CREATE TABLE auth_secrets (
	name  {key}   NOT NULL PRIMARY KEY,
	value {bytes} NOT NULL
);
