import type { Failure, RenderedFailure } from './errors.js';

/** nova/api/openstack/wsgi.py and cinder/api/openstack/wsgi.py, class Fault: names by status. */
const NAMES: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
};

/** Nova's and Cinder's shape: `{"itemNotFound": {"code": 404, "message": "…"}}`. */
export function openstackFault(failure: Failure): RenderedFailure {
  const name = NAMES[failure.status] ?? 'computeFault';
  return { body: { [name]: { code: failure.status, message: failure.message } } };
}
