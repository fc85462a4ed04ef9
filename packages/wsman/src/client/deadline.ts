import { WsmanTransportError } from '../errors.js';

/** One call's time: a signal that fires at its deadline or when the caller gives up. Dispose it when the call ends. */
export class Deadline {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #caller: AbortSignal | undefined;
  readonly #onAbort: () => void;

  constructor(milliseconds: number, caller?: AbortSignal) {
    this.signal = this.#controller.signal;
    this.#caller = caller;
    this.#onAbort = () => {
      this.#controller.abort(
        new WsmanTransportError('WSMAN_ABORTED', 'The call was given up by its caller', {
          cause: caller?.reason,
        }),
      );
    };
    this.#timer = setTimeout(() => {
      this.#controller.abort(
        new WsmanTransportError(
          'WSMAN_DEADLINE',
          `No answer within ${milliseconds} ms. The work may still go on at the host: look before trying again`,
        ),
      );
    }, milliseconds);
    if (caller?.aborted === true) this.#onAbort();
    else caller?.addEventListener('abort', this.#onAbort, { once: true });
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#onAbort);
  }
}

/** The error that an aborted {@link Deadline} carries; `sent` says whether the request may have reached the service. */
export function abortReason(signal: AbortSignal, sent: boolean): WsmanTransportError {
  const reason: unknown = signal.reason;
  if (!(reason instanceof WsmanTransportError)) {
    return new WsmanTransportError('WSMAN_ABORTED', 'The call was aborted', {
      cause: reason,
      notSent: !sent,
    });
  }
  return new WsmanTransportError(reason.code, reason.message, { cause: reason.cause, notSent: !sent });
}
