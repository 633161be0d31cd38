-- The role of the function: reads the catalogue, changes courses, and only adds to the record.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'catalogue_app') THEN
        CREATE ROLE catalogue_app LOGIN;
    END IF;
    -- Amazon RDS: a member of rds_iam signs in with a token (IAM database authentication).
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam') THEN
        GRANT rds_iam TO catalogue_app;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA public TO catalogue_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO catalogue_app;
GRANT INSERT, UPDATE ON courses TO catalogue_app;
GRANT INSERT, UPDATE, DELETE ON terms, prices TO catalogue_app;
GRANT UPDATE ON generation TO catalogue_app;
GRANT INSERT ON audit, requests TO catalogue_app;
