import { chmod, open } from 'node:fs/promises';
import { Kysely, SqliteDialect, sql, type Migration } from 'kysely';
import { DatabaseError, openSqlite } from './sqlite.js';

/** A database no service has narrowed yet: `db.withTables<MyTables>()`. */
export type AnyDatabase = Kysely<object>;

/** How long a statement waits for another process that holds the database, ms. */
const BUSY_TIMEOUT_MS = 5_000;

/** SQLite's name for a database without a file. */
const IN_MEMORY = ':memory:';

/** It holds the hashes of passwords: nobody else may read it. SQLite gives its log files the same mode. */
async function ownerOnly(path: string): Promise<void> {
  try {
    const file = await open(path, 'a', 0o600);
    await file.close();
    await chmod(path, 0o600);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseError(
      'DATABASE_OPEN_FAILED',
      `The database ${path} cannot be opened: ${reason}`,
      error,
    );
  }
}

/**
 * Opens the cloud's database. Throws {@link DatabaseError}. A commit survives the death of this process at any moment (write-ahead log).
 * The pool has one connection, so transactions run one after another: a check and a write in one
 * transaction cannot be raced. Inside a transaction only its own handle may be used.
 */
export async function openDatabase(path: string): Promise<AnyDatabase> {
  if (path !== IN_MEMORY) await ownerOnly(path);
  const db = new Kysely<object>({
    dialect: new SqliteDialect({ database: await openSqlite(path) }),
  });
  await sql`pragma journal_mode = wal`.execute(db);
  await sql`pragma synchronous = normal`.execute(db);
  await sql`pragma foreign_keys = on`.execute(db);
  await sql`pragma busy_timeout = ${sql.lit(BUSY_TIMEOUT_MS)}`.execute(db);
  return db;
}

type MigrationTable = {
  schema_migration: { name: string; applied_at: string };
};

/**
 * Runs what has not run yet, sorted by name, each in its own transaction together with the note that it ran.
 * `types` are the catalogue types of the services that run: a migration of one of them that is noted but unknown means that
 * a newer version has written this database, which is refused.
 */
export async function migrate(
  db: AnyDatabase,
  migrations: Readonly<Record<string, Migration>>,
  types: readonly string[],
): Promise<readonly string[]> {
  await sql`create table if not exists schema_migration (name text primary key, applied_at text not null)`.execute(
    db,
  );
  const tables = db.withTables<MigrationTable>();
  const applied = new Set(
    (await tables.selectFrom('schema_migration').select('name').execute()).map((row) => row.name),
  );
  for (const name of applied) {
    if (migrations[name] === undefined && types.some((type) => name.startsWith(`${type}-`))) {
      throw new DatabaseError(
        'DATABASE_NEWER',
        `The database has the change ${name}, which this version does not know: it was written by a newer one. ` +
          'Use that version, or another state folder.',
      );
    }
  }
  const done: string[] = [];
  for (const [name, migration] of Object.entries(migrations).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (applied.has(name)) continue;
    await tables.transaction().execute(async (trx) => {
      await migration.up(trx);
      await trx
        .insertInto('schema_migration')
        .values({ name, applied_at: new Date().toISOString() })
        .execute();
    });
    done.push(name);
  }
  return done;
}
