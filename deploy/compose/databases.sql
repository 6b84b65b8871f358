-- A role and a database for each service, by psql as the superuser; repeats change nothing.
-- The passwords come from the secrets folders, at every start, so that a new one takes effect.

CREATE TEMPORARY TABLE wanted (role name, database name);
INSERT INTO wanted VALUES
  ('gateway', 'gateway'),
  ('identity_service', 'identity'),
  ('dossier_service', 'dossier'),
  ('sync_service', 'sync');

SELECT format('CREATE ROLE %I LOGIN', role) FROM wanted
WHERE role NOT IN (SELECT rolname FROM pg_roles) \gexec

SELECT format('CREATE DATABASE %I OWNER %I', database, role) FROM wanted
WHERE database NOT IN (SELECT datname FROM pg_database) \gexec

-- Else every role may connect to every database.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', database) FROM wanted \gexec

\set gateway `cat /secrets/gateway/database_password`
\set identity `cat /secrets/identity_service/database_password`
\set dossier `cat /secrets/dossier_service/database_password`
\set sync `cat /secrets/sync_service/database_password`
ALTER ROLE gateway PASSWORD :'gateway';
ALTER ROLE identity_service PASSWORD :'identity';
ALTER ROLE dossier_service PASSWORD :'dossier';
ALTER ROLE sync_service PASSWORD :'sync';
