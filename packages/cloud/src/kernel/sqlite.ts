import type { SqliteDatabase, SqliteStatement } from 'kysely';

export class DatabaseError extends Error {
  readonly code: 'DATABASE_DRIVER_MISSING' | 'DATABASE_OPEN_FAILED' | 'DATABASE_NEWER';
  constructor(code: DatabaseError['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DatabaseError';
    this.code = code;
  }
}

/** The part of Node's `node:sqlite` that is used (Node 22.16 and later; Node 20's types do not have it). */
export interface NodeSqliteModule {
  readonly DatabaseSync: new (path: string) => NodeSqliteDatabase;
}
interface NodeSqliteDatabase {
  close(): void;
  prepare(sql: string): NodeSqliteStatement;
}
interface NodeSqliteStatement {
  columns(): readonly unknown[];
  all(...parameters: readonly unknown[]): unknown[];
  run(...parameters: readonly unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  iterate(...parameters: readonly unknown[]): IterableIterator<unknown>;
}

/** Gives Node's own SQLite the face of better-sqlite3 that Kysely's dialect expects. */
export function adaptNodeSqlite(module: NodeSqliteModule, path: string): SqliteDatabase {
  const database = new module.DatabaseSync(path);
  return {
    close: () => database.close(),
    prepare(sql: string): SqliteStatement {
      const statement = database.prepare(sql);
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...parameters),
        run: (parameters) => statement.run(...parameters),
        iterate: (parameters) => statement.iterate(...parameters),
      };
    },
  };
}

/** Without StatementSync.columns (before Node 22.16) a statement cannot be asked whether it returns rows. */
function isUsable(module: object): module is NodeSqliteModule {
  if (!('DatabaseSync' in module) || !('StatementSync' in module)) return false;
  const statement = module.StatementSync;
  return typeof statement === 'function' && 'columns' in Object(statement.prototype);
}

function nodeSqlite(): NodeSqliteModule | undefined {
  // Node 20.15 and earlier have no such function.
  if (!('getBuiltinModule' in process)) return undefined;
  const module: object | undefined = process.getBuiltinModule('node:sqlite');
  return module !== undefined && isUsable(module) ? module : undefined;
}

const isSqliteError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_');

/** SQLite's extended result codes (sqlite.org/rescode.html): FOREIGNKEY, PRIMARYKEY, UNIQUE. */
const CONSTRAINT_NUMBERS: readonly unknown[] = [787, 1555, 2067];
const CONSTRAINT_NAMES: readonly unknown[] = [
  'SQLITE_CONSTRAINT_FOREIGNKEY',
  'SQLITE_CONSTRAINT_PRIMARYKEY',
  'SQLITE_CONSTRAINT_UNIQUE',
];

/** Whether a statement was refused because of other rows: one request was overtaken by another. Of either driver. */
export const isConstraintViolation = (error: unknown): boolean =>
  error instanceof Error &&
  (('code' in error && CONSTRAINT_NAMES.includes(error.code)) ||
    ('errcode' in error && CONSTRAINT_NUMBERS.includes(error.errcode)));

/**
 * Opens an SQLite file with better-sqlite3 where that package is installed and loads, else with Node's own SQLite.
 * Throws {@link DatabaseError} with what to install when there is neither.
 */
export async function openSqlite(path: string): Promise<SqliteDatabase> {
  let missing: unknown;
  try {
    const { default: Database } = await import('better-sqlite3');
    return new Database(path);
  } catch (error) {
    if (isSqliteError(error)) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new DatabaseError(
        'DATABASE_OPEN_FAILED',
        `The database ${path} cannot be opened: ${reason}`,
        error,
      );
    }
    missing = error;
  }
  const builtin = nodeSqlite();
  if (builtin !== undefined) return adaptNodeSqlite(builtin, path);
  throw new DatabaseError(
    'DATABASE_DRIVER_MISSING',
    'No SQLite driver: the package better-sqlite3 is not installed or does not fit this Node; ' +
      'run `npm install better-sqlite3` (or `npm rebuild better-sqlite3`), or use Node 22.16 or later, which has its own.',
    missing,
  );
}
