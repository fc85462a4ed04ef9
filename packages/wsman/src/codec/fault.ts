import { WBEM, WsmanFault } from '../errors.js';
import type { WmiError } from '../errors.js';
import { attribute, child, descendant } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { element, text } from '../xml/writer.js';
import type { Xml } from '../xml/writer.js';
import { NS } from './namespaces.js';

type Prefix = 'w' | 'a' | 'n' | 's';

interface FaultKind {
  readonly prefix: Prefix;
  readonly party: 'Sender' | 'Receiver';
  /** WSManFault@Code, from wsmerror.h of the Windows SDK. */
  readonly code: number;
  /** Last segment of the fault detail URI (DSP0226, clause 14). */
  readonly detail?: string;
}

const KINDS = {
  AccessDenied: { prefix: 'w', party: 'Sender', code: 5 },
  ActionNotSupported: { prefix: 'a', party: 'Sender', code: 0x80338013 },
  AlreadyExists: { prefix: 'w', party: 'Sender', code: 0x80338033 },
  CannotProcessFilter: { prefix: 'n', party: 'Sender', code: 0x8033801a },
  Concurrency: { prefix: 'w', party: 'Sender', code: 0x80338032 },
  DestinationUnreachable: { prefix: 'a', party: 'Sender', code: 0x80338000, detail: 'InvalidResourceURI' },
  EncodingLimit: { prefix: 'w', party: 'Sender', code: 0x80338048, detail: 'MaxEnvelopeSizeExceeded' },
  FilterDialectRequestedUnavailable: { prefix: 'n', party: 'Sender', code: 0x80338019 },
  InternalError: { prefix: 'w', party: 'Receiver', code: 0x80338003 },
  InvalidEnumerationContext: { prefix: 'n', party: 'Receiver', code: 0x8033801b },
  InvalidMessageInformationHeader: { prefix: 'a', party: 'Sender', code: 0x8033800f },
  InvalidParameter: { prefix: 'w', party: 'Sender', code: 0x8033803a },
  InvalidSelectors: { prefix: 'w', party: 'Sender', code: 0x8033803d },
  MessageInformationHeaderRequired: { prefix: 'a', party: 'Sender', code: 0x80338011 },
  MustUnderstand: { prefix: 's', party: 'Sender', code: 0x80338010 },
  QuotaLimit: { prefix: 'w', party: 'Sender', code: 0x8033803f },
  SchemaValidationError: { prefix: 'w', party: 'Sender', code: 0x80338041 },
  TimedOut: { prefix: 'w', party: 'Receiver', code: 0x80338029 },
  UnsupportedFeature: { prefix: 'w', party: 'Sender', code: 0x80338042 },
  VersionMismatch: { prefix: 's', party: 'Sender', code: 0x8033800d },
} as const satisfies Readonly<Record<string, FaultKind>>;

export type FaultSubcode = keyof typeof KINDS;

/** Codes that say more than their subcode. */
export const WSMAN_CODE = {
  /** Get without keys of a class that is no singleton. */
  uriWithoutKeys: 0x803380fa,
  /** WQL against a class: the resource URI must end in `*`. */
  wqlNeedsWildcard: 0x803380fb,
  /** Enumerate with selectors. */
  enumerateWithKeys: 0x80338108,
  polymorphismMode: 0x80338137,
  invalidXml: 0x80338043,
  invalidNamespace: 0x8033803b,
  providerNotCapable: 0x80338102,
  fragmentTransfer: 0x80338077,
} as const;

export interface FaultFields {
  readonly subcode: FaultSubcode;
  readonly message: string;
  /** Instead of the subcode's own. */
  readonly code?: number;
  /** The provider's HRESULT, unsigned. */
  readonly hresult?: number;
  readonly detail?: string;
  readonly machine: string;
}

const DETAIL = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/';
const STATUS_URI = 'http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/__ExtendedStatus';

const FAULT_ACTIONS: Readonly<Record<Prefix, string>> = {
  a: `${NS.addressing}/fault`,
  s: `${NS.addressing}/fault`,
  n: `${NS.enumeration}/fault`,
  w: 'http://schemas.dmtf.org/wbem/wsman/1/wsman/fault',
};

export function faultAction(subcode: FaultSubcode): string {
  return FAULT_ACTIONS[KINDS[subcode].prefix];
}

/** The fault as WinRM writes it: SOAP's own parts and a WSManFault, with the provider's error inside. */
export function encodeFault(fields: FaultFields): Xml {
  const kind: FaultKind = KINDS[fields.subcode];
  const inner = `${kind.prefix}:${fields.subcode}`;
  const code =
    kind.prefix === 's'
      ? element('s:Code', {}, element('s:Value', {}, inner))
      : element(
          's:Code',
          {},
          element('s:Value', {}, `s:${kind.party}`) + element('s:Subcode', {}, element('s:Value', {}, inner)),
        );
  const reason = element(
    's:Reason',
    {},
    element('s:Text', { 'xml:lang': 'en-US' }, text(printable(fields.message))),
  );
  const detail = fields.detail ?? kind.detail;
  return element(
    's:Fault',
    {},
    code +
      reason +
      element(
        's:Detail',
        {},
        (detail === undefined ? '' : element('w:FaultDetail', {}, text(DETAIL + detail))) +
          wsmanFault(fields, kind),
      ),
  );
}

function wsmanFault(fields: FaultFields, kind: FaultKind): Xml {
  const code = fields.code ?? kind.code;
  const message = text(printable(fields.message));
  const attributes = { 'xmlns:f': NS.fault, Code: code, Machine: fields.machine };
  if (fields.hresult === undefined) {
    return element('f:WSManFault', attributes, element('f:Message', {}, message));
  }
  const provider = element(
    'f:ProviderFault',
    { provider: 'WMI Provider', path: String.raw`%systemroot%\system32\WsmWmiPl.dll` },
    element(
      'f:WSManFault',
      { Code: fields.hresult, Machine: fields.machine },
      element('f:Message', {}, message),
    ) + element('f:ExtendedError', {}, extendedStatus(fields.hresult, message)),
  );
  return element('f:WSManFault', attributes, element('f:Message', {}, provider));
}

function extendedStatus(hresult: number, message: Xml): Xml {
  return element(
    'p:__ExtendedStatus',
    { 'xmlns:p': STATUS_URI, 'xsi:type': 'p:__ExtendedStatus_Type' },
    element('p:Description', {}, message) +
      element('p:ProviderName', {}, 'WinMgmt') +
      element('p:StatusCode', {}, String(hresult)),
  );
}

/** A message may quote what a client sent; what XML cannot carry is replaced. */
function printable(message: string): string {
  return message.replaceAll(/[^\P{Cc}\t\n\r]|\p{Surrogate}|[\ufffe\uffff]/gu, '?');
}

/** How Windows reports an HRESULT of WMI. */
export function faultOfWmiError(error: WmiError, machine: string): FaultFields {
  const base = { message: error.message, hresult: error.hresult, machine };
  switch (error.hresult) {
    case WBEM.notFound:
    case WBEM.invalidClass:
    case WBEM.invalidNamespace:
      return { ...base, subcode: 'DestinationUnreachable' };
    case WBEM.accessDenied:
      return { ...base, subcode: 'AccessDenied' };
    case WBEM.invalidParameter:
    case WBEM.invalidMethodParameters:
      return { ...base, subcode: 'InvalidParameter' };
    case WBEM.invalidQuery:
      return { ...base, subcode: 'CannotProcessFilter' };
    case WBEM.invalidMethod:
      return { ...base, subcode: 'ActionNotSupported' };
    case 0x80041019:
      return { ...base, subcode: 'AlreadyExists' };
    case WBEM.providerNotCapable:
      return { ...base, subcode: 'InternalError', code: WSMAN_CODE.providerNotCapable };
    default:
      return { ...base, subcode: 'InternalError', code: error.hresult };
  }
}

const RETRYABLE: ReadonlySet<string> = new Set(['QuotaLimit', 'Concurrency', 'EndpointUnavailable']);

export function isFault(content: XmlElement | undefined): content is XmlElement {
  return content?.uri === NS.soap && content.local === 'Fault';
}

/** Reads a fault of this package, of Windows or of another service. */
export function decodeFault(fault: XmlElement): WsmanFault {
  const code = child(fault, NS.soap, 'Code');
  const subcode = code === undefined ? undefined : child(code, NS.soap, 'Subcode');
  const written = child(subcode ?? code ?? fault, NS.soap, 'Value')?.text ?? '';
  const local = written.trim().replace(/^.*:/su, '');
  const outer = descendant(fault, (item) => item.uri === NS.fault && item.local === 'WSManFault');
  const reason = child(fault, NS.soap, 'Reason');
  const said = reason === undefined ? '' : (child(reason, NS.soap, 'Text')?.text.trim() ?? '');
  const detailed = descendant(
    fault,
    (item) => item.uri === NS.fault && item.local === 'Message' && item.text.trim() !== '',
  );
  const message = [said, detailed?.text.trim() ?? ''].filter(
    (part, at, all) => part !== '' && all.indexOf(part) === at,
  );
  return new WsmanFault({
    subcode: local,
    message: message.join(' ') || `The service answered with the fault ${local}`,
    wsmanCode: outer === undefined ? undefined : unsigned(attribute(outer, '', 'Code')),
    hresult: hresultOf(fault),
    retryable: RETRYABLE.has(local),
  });
}

/**
 * The provider's HRESULT: from __ExtendedStatus (older hosts), MSFT_WmiError's error_Code (2012 and later) or the
 * provider's own WSManFault. Codes of WS-Management itself (facility 0x33) are none.
 */
function hresultOf(fault: XmlElement): number | undefined {
  for (const name of ['StatusCode', 'error_Code']) {
    const value = providerCode(descendant(fault, (item) => item.local === name)?.text);
    if (value !== undefined) return value;
  }
  const codes: number[] = [];
  const collect = (item: XmlElement): void => {
    if (item.uri === NS.fault && item.local === 'WSManFault') {
      const value = providerCode(attribute(item, '', 'Code'));
      if (value !== undefined) codes.push(value);
    }
    item.children.forEach(collect);
  };
  collect(fault);
  return codes.at(-1);
}

function providerCode(written: string | undefined): number | undefined {
  const value = unsigned(written);
  return value === undefined || value < 0x80000000 || value >>> 16 === 0x8033 ? undefined : value;
}

function unsigned(written: string | undefined): number | undefined {
  const trimmed = written?.trim() ?? '';
  return /^-?\d{1,10}$/u.test(trimmed) ? Number(trimmed) >>> 0 : undefined;
}
