import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Kysely, type Migration, sql, SqliteDialect } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnyDatabase, migrate, openDatabase } from './database.js';
import { adaptNodeSqlite } from './sqlite.js';

const statement = (text: string): Migration => ({
  async up(db: Kysely<unknown>): Promise<void> {
    for (const part of text.split(';')) await sql.raw(part).execute(db);
  },
});

describe('database', () => {
  let dir: string;
  let db: AnyDatabase;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'nova-hyperv-db-'));
    db = await openDatabase(join(dir, 'cloud.db'));
  });
  afterEach(async () => {
    await db.destroy();
    await rm(dir, { recursive: true, force: true });
  });

  it('keeps foreign keys and a write-ahead log', async () => {
    const keys = await sql<{ foreign_keys: number }>`pragma foreign_keys`.execute(db);
    const journal = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(db);
    expect(keys.rows[0]?.foreign_keys).toBe(1);
    expect(journal.rows[0]?.journal_mode).toBe('wal');
  });

  it('runs migrations in the order of their names, each once', async () => {
    const migrations = {
      'b-0002': statement('insert into t values (2)'),
      'b-0001': statement('create table t (a integer)'),
    };
    expect(await migrate(db, migrations, ['b'])).toEqual(['b-0001', 'b-0002']);
    expect(await migrate(db, migrations, ['b'])).toEqual([]);
    expect((await sql`select a from t`.execute(db)).rows).toHaveLength(1);
  });

  it('leaves nothing of a migration that fails, and goes on from there', async () => {
    const broken = { 'b-0001': statement('create table t (a integer); this is no sql') };
    await expect(migrate(db, broken, ['b'])).rejects.toThrow(/syntax error/);
    const fixed = { 'b-0001': statement('create table t (a integer)') };
    expect(await migrate(db, fixed, ['b'])).toEqual(['b-0001']);
  });

  it('refuses a database of a newer version, of services that run', async () => {
    await migrate(db, { 'b-0009': statement('select 1') }, ['b']);
    await expect(migrate(db, {}, ['b'])).rejects.toMatchObject({ code: 'DATABASE_NEWER' });
    await expect(migrate(db, {}, ['other'])).resolves.toEqual([]);
  });

  it('says why a file cannot be opened', async () => {
    await expect(openDatabase(join(dir, 'no', 'such', 'folder'))).rejects.toMatchObject({
      code: 'DATABASE_OPEN_FAILED',
    });
    expect((await stat(join(dir, 'cloud.db'))).mode & 0o777).toBe(0o600);
  });
});

/** Node's own SQLite as far as the adapter uses it, played by better-sqlite3. */
class DatabaseSync {
  readonly #database: Database.Database;
  constructor(path: string) {
    this.#database = new Database(path);
  }
  close(): void {
    this.#database.close();
  }
  prepare(text: string): {
    columns(): readonly unknown[];
    all(...parameters: readonly unknown[]): unknown[];
    run(...parameters: readonly unknown[]): { changes: number; lastInsertRowid: number | bigint };
    iterate(...parameters: readonly unknown[]): IterableIterator<unknown>;
  } {
    const prepared = this.#database.prepare(text);
    return {
      columns: () => (prepared.reader ? prepared.columns() : []),
      all: (...parameters) => prepared.all(...parameters),
      run: (...parameters) => prepared.run(...parameters),
      iterate: (...parameters) => prepared.iterate(...parameters),
    };
  }
}

describe('adaptNodeSqlite', () => {
  it('serves Kysely: rows, changes, transactions', async () => {
    type Tables = { t: { a: number } };
    const db = new Kysely<Tables>({
      dialect: new SqliteDialect({ database: adaptNodeSqlite({ DatabaseSync }, ':memory:') }),
    });
    await sql`create table t (a integer)`.execute(db);
    const result = await db
      .insertInto('t')
      .values([{ a: 1 }, { a: 2 }])
      .executeTakeFirst();
    expect(result.numInsertedOrUpdatedRows).toBe(2n);
    await expect(
      db.transaction().execute(async (trx) => {
        await trx.deleteFrom('t').execute();
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await db.selectFrom('t').selectAll().orderBy('a').execute()).toEqual([{ a: 1 }, { a: 2 }]);
    await db.destroy();
  });
});
