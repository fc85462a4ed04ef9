/** Namespaces, actions and dialects of WS-Management (DSP0226, DSP0227) and of Microsoft's extensions (MS-WSMV). */
export const NS = {
  soap: 'http://www.w3.org/2003/05/soap-envelope',
  addressing: 'http://schemas.xmlsoap.org/ws/2004/08/addressing',
  wsman: 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd',
  microsoft: 'http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd',
  enumeration: 'http://schemas.xmlsoap.org/ws/2004/09/enumeration',
  transfer: 'http://schemas.xmlsoap.org/ws/2004/09/transfer',
  binding: 'http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd',
  cim: 'http://schemas.dmtf.org/wbem/wscim/1/common',
  xsi: 'http://www.w3.org/2001/XMLSchema-instance',
  xml: 'http://www.w3.org/XML/1998/namespace',
  fault: 'http://schemas.microsoft.com/wbem/wsman/1/wsmanfault',
  identity: 'http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd',
} as const;

/** Prefixes that every envelope written here declares. `p` is left to the class in the body. */
export const PREFIXES = {
  'xmlns:s': NS.soap,
  'xmlns:a': NS.addressing,
  'xmlns:w': NS.wsman,
  'xmlns:m': NS.microsoft,
  'xmlns:n': NS.enumeration,
  'xmlns:x': NS.transfer,
  'xmlns:b': NS.binding,
  'xmlns:cim': NS.cim,
  'xmlns:xsi': NS.xsi,
} as const;

export const ANONYMOUS = `${NS.addressing}/role/anonymous`;
/** The identity request's answer names this as the protocol's version. */
export const PROTOCOL_VERSION = NS.wsman;

export const ACTIONS = {
  get: `${NS.transfer}/Get`,
  put: `${NS.transfer}/Put`,
  create: `${NS.transfer}/Create`,
  delete: `${NS.transfer}/Delete`,
  enumerate: `${NS.enumeration}/Enumerate`,
  pull: `${NS.enumeration}/Pull`,
  release: `${NS.enumeration}/Release`,
} as const;

export const DIALECTS = {
  wql: 'http://schemas.microsoft.com/wbem/wsman/1/WQL',
  selector: 'http://schemas.dmtf.org/wbem/wsman/1/wsman/SelectorFilter',
  association: 'http://schemas.dmtf.org/wbem/wsman/1/cimbinding/associationFilter',
} as const;

export const CONTENT_TYPE = 'application/soap+xml;charset=UTF-8';
