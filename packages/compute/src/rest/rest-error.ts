/** `http`: the service answered with an error; `unreachable`: no answer; `timeout`: too late; `protocol`: an answer that is not the API's. */
export type RestErrorKind = 'http' | 'unreachable' | 'timeout' | 'protocol';

export interface RestErrorInfo {
  readonly kind: RestErrorKind;
  /** `image`, `network`, `placement` */
  readonly service: string;
  readonly method: string;
  readonly url: string;
  /** HTTP status, where there was an answer. */
  readonly status?: number;
  /** What the service says, out of its own error format. */
  readonly serviceMessage?: string;
  /** The service's own name of the error: Neutron's `type`, Placement's `code`. */
  readonly serviceErrorType?: string;
  /** The service's id of the request, for its log. */
  readonly serviceRequestId?: string;
}

/** A request to another OpenStack service that did not succeed. */
export class RestError extends Error {
  readonly code = 'REST_ERROR';
  readonly kind: RestErrorKind;
  readonly service: string;
  readonly method: string;
  readonly url: string;
  readonly status: number | null;
  readonly serviceMessage: string;
  readonly serviceErrorType: string | null;
  readonly serviceRequestId: string | null;

  constructor(info: RestErrorInfo, options: ErrorOptions = {}) {
    super(describe(info), options);
    this.name = 'RestError';
    this.kind = info.kind;
    this.service = info.service;
    this.method = info.method;
    this.url = info.url;
    this.status = info.status ?? null;
    this.serviceMessage = info.serviceMessage ?? '';
    this.serviceErrorType = info.serviceErrorType ?? null;
    this.serviceRequestId = info.serviceRequestId ?? null;
  }
}

/** A name that several things have where one is meant. */
export class AmbiguousNameError extends Error {
  readonly code = 'REST_AMBIGUOUS_NAME';
  constructor(kind: string, name: string, count: number) {
    super(`${count} ${kind} have the name ${name}: give an id.`);
    this.name = 'AmbiguousNameError';
  }
}

const ADVICE: Readonly<Record<RestErrorKind, string>> = {
  http: '',
  unreachable: ' Check that the service runs and that its endpoint is right.',
  timeout: ' Check the load of the service and of the network to it.',
  protocol: ' Check that the endpoint is that of this service.',
};

function describe(info: RestErrorInfo): string {
  const what = `${info.method} ${info.url}`;
  const id = info.serviceRequestId === undefined ? '' : ` (request ${info.serviceRequestId})`;
  const said =
    info.serviceMessage === undefined || info.serviceMessage === '' ? '' : `: ${info.serviceMessage}`;
  if (info.kind === 'http') {
    return `The ${info.service} service answered ${info.status ?? 0} to ${what}${id}${said}`;
  }
  const problem = {
    unreachable: `cannot be reached`,
    timeout: `did not answer in time`,
    protocol: `gave an unexpected answer`,
  }[info.kind];
  return `The ${info.service} service ${problem} (${what})${id}${said}.${ADVICE[info.kind]}`;
}

/** True when the error is an HTTP answer with one of the statuses. */
export function isStatus(error: unknown, ...statuses: readonly number[]): error is RestError {
  return error instanceof RestError && error.status !== null && statuses.includes(error.status);
}

interface ServiceFault {
  readonly message: string;
  readonly type?: string;
}

function field(value: unknown, name: string): unknown {
  return Object.entries(typeof value === 'object' && value !== null ? value : {}).find(
    ([key]) => key === name,
  )?.[1];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function faultOfJson(body: unknown): ServiceFault | undefined {
  const neutron = field(body, 'NeutronError');
  if (neutron !== undefined) {
    const type = text(field(neutron, 'type'));
    const message = text(field(neutron, 'message')) ?? text(neutron) ?? '';
    return { message, ...(type === undefined ? {} : { type }) };
  }
  const errors = field(body, 'errors');
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (first !== undefined) {
    const type = text(field(first, 'code'));
    const message = text(field(first, 'detail')) ?? text(field(first, 'title')) ?? '';
    return { message: message.trim(), ...(type === undefined ? {} : { type }) };
  }
  // Keystone's {"error": {...}}, Nova's and Cinder's {"itemNotFound": {...}}, WebOb's {"message": ...}.
  const plain = text(field(body, 'message'));
  if (plain !== undefined) return { message: plain };
  for (const value of Object.values(typeof body === 'object' && body !== null ? body : {})) {
    const message = text(field(value, 'message'));
    if (message !== undefined) return { message };
  }
  return undefined;
}

/**
 * What a service says about a failed request: JSON of Neutron (`NeutronError`), of Placement (API-WG `errors`), of
 * Keystone and Nova, or Glance's HTML and plain text with the markup taken off. At most 1000 characters.
 */
export function parseServiceFault(body: string): ServiceFault {
  let fault: ServiceFault | undefined;
  try {
    fault = faultOfJson(JSON.parse(body));
  } catch {
    fault = undefined;
  }
  const message =
    fault?.message ??
    body
      .replace(/<title>[^]*?<\/title>/gi, '')
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim();
  return { ...fault, message: message.slice(0, 1000) };
}
