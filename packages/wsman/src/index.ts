export * from './cim/value.js';
export * from './client/client.js';
export * from './errors.js';
export * from './schema/schema.js';
export { loadSchema } from './schema/load-schema.js';
export {
  dateTime,
  dateTimeToMillis,
  formatCimDateTime,
  interval,
  NEVER,
  parseCimDateTime,
} from './cim/datetime.js';
export {
  formatObjectPath,
  parseObjectPath,
  referenceEquals,
  referenceKey,
  referenceOf,
  ObjectPathError,
} from './cim/object-path.js';
export type { ObjectPathOptions } from './cim/object-path.js';
export { CimValueError } from './cim/numbers.js';
export * from './server/provider.js';
export * from './wql/ast.js';
export { matchesWql } from './wql/evaluate.js';
export type { WqlSubject } from './wql/evaluate.js';
export { wqlLike } from './wql/like.js';
export { parseWql } from './wql/parser.js';
export { wqlLikePrefix, wqlLikeSuffix, wqlString } from './wql/quote.js';
