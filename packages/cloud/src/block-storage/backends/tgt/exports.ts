import { setTimeout as sleep } from 'node:timers/promises';
import { BackendError } from '../backend.js';
import { askTgt, TgtError } from './client.js';
import { MODE, OP, parseTargets, TGT_ERROR, type TgtRequest, type TgtTarget } from './protocol.js';
import type { TargetRecord } from './records.js';

/** Cinder's: one logical unit, after the controller. */
export const LUN = 1;
const GONE = [TGT_ERROR.noSession, TGT_ERROR.noConnection];
const IDLE_ATTEMPTS = 400;
const IDLE_PAUSE_MS = 5;

/** A volume as initiators are to find it. */
export interface Export {
  readonly iqn: string;
  /** Of the volume's file. */
  readonly path: string;
  readonly serial: string;
  readonly record: TargetRecord;
  /** Names of the initiators that may log in. */
  readonly initiators: readonly string[];
}

/** Makes tgtd serve what is wanted; each step is harmless when it is done already, so that a half made target is completed. */
export class Exports {
  readonly #socket: () => string;

  /** @param socket of the tgtd that serves now. */
  constructor(socket: () => string) {
    this.#socket = socket;
  }

  async list(): Promise<readonly TgtTarget[]> {
    return parseTargets(await this.#ask({ mode: MODE.target, op: OP.show }));
  }

  /** Nobody may log in before the last step: a target without a list of initiators takes none. */
  async ensure(wanted: Export): Promise<void> {
    const { tid, username, password } = wanted.record;
    const there = (await this.list()).find((target) => target.name === wanted.iqn || target.tid === tid);
    const isOther = there !== undefined && (there.tid !== tid || there.name !== wanted.iqn);
    if (isOther) await this.#destroy(there);
    if (there === undefined || isOther)
      await this.#ask({ mode: MODE.target, op: OP.new, tid, text: `targetname=${wanted.iqn}` });
    const known = isOther ? undefined : there;
    const unit = known?.luns.find(({ lun }) => lun === LUN);
    if (unit?.path === wanted.path) await this.#setOptions(tid, wanted.serial, wanted.record.isReadOnly);
    else {
      if (unit !== undefined) await this.#deleteUnit(tid);
      await this.#makeUnit(wanted);
    }
    if (!(known?.accounts.includes(username) ?? false)) {
      const text = `user=${username},password=${password}`;
      await this.#ask({ mode: MODE.account, op: OP.new, text }, [TGT_ERROR.userExists]);
      await this.#ask({ mode: MODE.account, op: OP.bind, tid, text: `user=${username}` }, [
        TGT_ERROR.userExists,
      ]);
    }
    for (const user of known?.accounts.filter((each) => each !== username) ?? [])
      await this.#ask({ mode: MODE.account, op: OP.delete, text: `user=${user}` }, [TGT_ERROR.noUser]);
    await this.#setState(tid, 'ready');
    await this.#allow(tid, known, wanted.initiators);
  }

  async #allow(tid: number, known: TgtTarget | undefined, initiators: readonly string[]): Promise<void> {
    for (const name of known?.acl ?? []) {
      if (initiators.includes(name)) continue;
      const text = `initiator-name=${name}`;
      await this.#ask({ mode: MODE.target, op: OP.unbind, tid, text }, [TGT_ERROR.aclMissing]);
      for (const { sid, cids } of known?.sessions.filter(({ initiator }) => initiator === name) ?? [])
        for (const cid of cids)
          await this.#ask({ mode: MODE.connection, op: OP.delete, tid, sid, cid }, GONE);
    }
    for (const name of initiators) {
      const text = `initiator-name=${name}`;
      await this.#ask({ mode: MODE.target, op: OP.bind, tid, text }, [TGT_ERROR.aclExists]);
    }
  }

  /** Ends the sessions too. Harmless when there is no such target. */
  async remove(iqn: string): Promise<void> {
    const target = (await this.list()).find(({ name }) => name === iqn);
    if (target !== undefined) await this.#destroy(target);
  }

  /** Leaves no target but these. */
  async keepOnly(iqns: ReadonlySet<string>): Promise<void> {
    for (const target of await this.list()) if (!iqns.has(target.name)) await this.#destroy(target);
  }

  async #destroy({ tid, accounts }: TgtTarget): Promise<void> {
    const force = true;
    await this.#ask({ mode: MODE.target, op: OP.delete, tid, force }, [TGT_ERROR.noTarget]);
    for (const user of accounts)
      await this.#ask({ mode: MODE.account, op: OP.delete, text: `user=${user}` }, [TGT_ERROR.noUser]);
  }

  /**
   * Lets tgtd see the new size of a volume's file. The target stays; its initiators lose their connections, make them again and send what was
   * not answered once more, so that no command fails. (Giving the unit its path again, without that, would leave sessions alone; but tgtd
   * closes the file meanwhile, and commands that its threads begin then fail.)
   *
   * Whoever comes back too early finds nobody listening, which initiators try again after; a target that is missing, they do not.
   * @param portal `127.0.0.1:3260`
   * @throws BackendError VOLUME_IN_USE when commands do not end.
   */
  async growInPlace(wanted: Export, portal: string): Promise<void> {
    const { tid } = wanted.record;
    const portalText = `portalOps portal=${portal},`;
    await this.#ask({ mode: MODE.portal, op: OP.delete, text: portalText });
    try {
      await this.#setState(tid, 'offline');
      await this.#disconnect(tid);
      await this.#deleteUnit(tid);
      await this.#makeUnit(wanted);
    } finally {
      try {
        await this.#setState(tid, 'ready');
      } finally {
        await this.#ask({ mode: MODE.portal, op: OP.new, text: portalText });
      }
    }
  }

  async #setState(tid: number, state: 'offline' | 'ready'): Promise<void> {
    await this.#ask({ mode: MODE.target, op: OP.update, tid, text: `state=${state}` });
  }

  async #disconnect(tid: number): Promise<void> {
    const sessions = (await this.list()).find((target) => target.tid === tid)?.sessions ?? [];
    for (const { sid, cids } of sessions)
      for (const cid of cids) await this.#ask({ mode: MODE.connection, op: OP.delete, tid, sid, cid }, GONE);
  }

  /** tgtd refuses while a command is under way. */
  async #deleteUnit(tid: number): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#ask({ mode: MODE.logicalUnit, op: OP.delete, tid, lun: LUN });
        return;
      } catch (error) {
        if (!(error instanceof TgtError && error.code === TGT_ERROR.lunActive)) throw error;
        if (attempt === IDLE_ATTEMPTS)
          throw new BackendError(
            'VOLUME_IN_USE',
            'The volume is too busy to be extended now; try again later.',
            {
              cause: error,
            },
          );
      }
      await sleep(IDLE_PAUSE_MS);
    }
  }

  async #makeUnit({ record: { tid, isReadOnly }, path, serial }: Export): Promise<void> {
    await this.#ask({ mode: MODE.logicalUnit, op: OP.new, tid, lun: LUN, text: `path=${path}` });
    await this.#setOptions(tid, serial, isReadOnly);
  }

  /** What was discarded is given back to the file system: `thin_provisioning`. */
  async #setOptions(tid: number, serial: string, isReadOnly: boolean): Promise<void> {
    const text = `targetOps scsi_sn=${serial},thin_provisioning=1,readonly=${isReadOnly ? 1 : 0},`;
    await this.#ask({ mode: MODE.logicalUnit, op: OP.update, tid, lun: LUN, text });
  }

  async #ask(request: TgtRequest, harmless: readonly number[] = []): Promise<string> {
    try {
      return await askTgt(this.#socket(), request);
    } catch (error) {
      if (error instanceof TgtError && harmless.includes(error.code)) return '';
      throw error;
    }
  }
}
