-- Three roles: whoever runs the migrations owns the tables, the application
-- serves requests, the worker empties the trash. Neither of the latter owns a
-- table or bypasses row security. An operator may create them beforehand.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'expunge_app') THEN
        CREATE ROLE expunge_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'expunge_worker') THEN
        CREATE ROLE expunge_worker LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT;
    END IF;
EXCEPTION
    -- Two databases of one cluster may be migrated at the same time.
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

GRANT USAGE ON SCHEMA public TO expunge_app, expunge_worker;

-- The service compares the migrations it was built with to those applied.
GRANT SELECT ON _sqlx_migrations TO expunge_app, expunge_worker;
