-- The schema's owner may create roles and is no superuser. Postgres runs this
-- file once, when it makes the database.
\getenv password EXPUNGE_OWNER_PASSWORD
CREATE ROLE expunge_owner LOGIN CREATEROLE PASSWORD :'password';
ALTER DATABASE expunge OWNER TO expunge_owner;
