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
export { CimValueError, integerRange } from './cim/numbers.js';
export * from './server/provider.js';
export * from './wql/ast.js';
export { matchesWql } from './wql/evaluate.js';
export type { WqlSubject } from './wql/evaluate.js';
export { wqlLike } from './wql/like.js';
export { parseWql } from './wql/parser.js';
export { wqlLikePrefix, wqlLikeSuffix, wqlString } from './wql/quote.js';
export { basicAuth } from './client/auth.js';
export type { BasicAuthOptions, ClientAuth, ConnectionAuth } from './client/auth.js';
export type { ClientTls } from './client/channel.js';
export { createWsmanClient } from './client/create-client.js';
export type { WsmanClientOptions } from './client/create-client.js';
export { decodeCimXml } from './cim/cim-xml-decode.js';
export type { CimXmlDecodeOptions } from './cim/cim-xml-decode.js';
export { encodeCimXml } from './cim/cim-xml-encode.js';
export { CimXmlError } from './cim/cim-xml-error.js';
export { MemberError } from './codec/members.js';
export { basicServerAuth } from './server/auth.js';
export type { AuthResult, BasicUser, ServerAuth, ServerConnectionAuth } from './server/auth.js';
export { createWsmanServer } from './server/create-server.js';
export type { WsmanServer, WsmanServerOptions } from './server/create-server.js';
export type { ServerLogEntry } from './server/dispatcher.js';
export { DEFAULT_SERVER_LIMITS } from './server/limits.js';
export type { WsmanServerLimits } from './server/limits.js';
export { PROTOCOL_VERSION } from './codec/namespaces.js';
export { isCimArray, isCimInstance, isCimReference } from './cim/guards.js';
