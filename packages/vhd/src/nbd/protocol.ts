/**
 * Numbers of the NBD protocol, from its specification (NetworkBlockDevice/nbd, doc/proto.md). All fields on the wire
 * are big-endian.
 */
export const NBD_MAGIC = 0x4e42444d41474943n;
export const OPTION_MAGIC = 0x49484156454f5054n;
export const OPTION_REPLY_MAGIC = 0x3e889045565a9n;
export const REQUEST_MAGIC = 0x25609513;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;

export const HandshakeFlag = { fixedNewstyle: 1, noZeroes: 2 } as const;

export const Option = {
  exportName: 1,
  abort: 2,
  list: 3,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;

export const OptionReply = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  errorUnsupported: 0x80000001,
  errorPolicy: 0x80000002,
  errorInvalid: 0x80000003,
  errorUnknown: 0x80000006,
  errorTooBig: 0x80000009,
} as const;

export const Info = { export: 0, name: 1, description: 2, blockSize: 3 } as const;

export const TransmissionFlag = {
  hasFlags: 1,
  readOnly: 2,
  sendFlush: 4,
  sendFua: 8,
  sendTrim: 32,
  sendWriteZeroes: 64,
  sendDf: 128,
  canMultiConn: 256,
  sendCache: 1024,
} as const;

export const Command = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

export const CommandFlag = { fua: 1, noHole: 2, df: 4, reqOne: 8, fastZero: 16 } as const;

export const ReplyFlag = { done: 1 } as const;

export const ReplyType = { none: 0, offsetData: 1, offsetHole: 2, blockStatus: 5, error: 0x8001 } as const;

/** Errors as the protocol numbers them. */
export const NbdError = {
  permission: 1,
  io: 5,
  noMemory: 12,
  invalid: 22,
  noSpace: 28,
  overflow: 75,
  unsupported: 95,
  shutdown: 108,
} as const;

/** Extent flags of the context `base:allocation`. */
export const AllocationFlag = { hole: 1, zero: 2 } as const;

export const BASE_ALLOCATION = 'base:allocation';
/** The id by which replies name the context; any number does. */
export const BASE_ALLOCATION_ID = 1;

/** Longest request that is served (also QEMU's own bound). Bytes. */
export const MAX_REQUEST_LENGTH = 32 * 1024 * 1024;
/** Longest option: a name of 4096 bytes, a few queries. */
export const MAX_OPTION_LENGTH = 64 * 1024;
export const MAX_NAME_LENGTH = 4096;
