import { WsmanFault, WsmanTransportError } from '@nova-hyperv/wsman';
import { describe, expect, it } from 'vitest';
import { HyperVError, isBusy, isOutcomeUnknown, isRefusal } from './errors.js';

const fault = (subcode: string, retryable = false) =>
  new WsmanFault({ subcode, message: subcode, retryable });

describe('what a failure tells of the work', () => {
  it.each<[string, unknown, { refusal: boolean; busy: boolean; unknown: boolean }]>([
    [
      'a refusal',
      new HyperVError('HYPERV_REFUSED', 'no', { returnValue: 32_773 }),
      { refusal: true, busy: false, unknown: false },
    ],
    ['a fault', fault('InternalError'), { refusal: true, busy: false, unknown: false }],
    ['a full queue', fault('QuotaLimit', true), { refusal: false, busy: true, unknown: false }],
    // The provider may have done it: asking in another way could do it twice.
    ['a service that gave up waiting', fault('TimedOut'), { refusal: false, busy: false, unknown: true }],
    [
      'a deadline',
      new WsmanTransportError('WSMAN_DEADLINE', 'late'),
      { refusal: false, busy: false, unknown: true },
    ],
    [
      'a request that never left',
      new WsmanTransportError('WSMAN_UNREACHABLE', 'refused', { notSent: true }),
      { refusal: false, busy: false, unknown: false },
    ],
    [
      'a job that vanished',
      new HyperVError('HYPERV_JOB_VANISHED', 'gone'),
      { refusal: false, busy: false, unknown: true },
    ],
  ])('%s', (_what, error, expected) => {
    expect({ refusal: isRefusal(error), busy: isBusy(error), unknown: isOutcomeUnknown(error) }).toEqual(
      expected,
    );
  });
});
