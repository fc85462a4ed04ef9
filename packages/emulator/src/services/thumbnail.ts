import type { InvokeResult } from '@nova-hyperv/wsman';
import type { Screen } from '../engine/engine.js';
import { HV } from '../errors.js';
import { completed, keyOf, returned } from '../methods.js';
import type { MethodCall } from '../methods.js';
import { machineIdOf } from '../machines/model.js';
import type { Machine } from '../machines/model.js';
import { isShielded } from '../security/security-settings.js';
import type { ServiceContext } from './context.js';

/** Larger than any screen of a virtual machine. */
const LONGEST_SIDE = 4096;

/**
 * GetVirtualSystemThumbnailImage: the screen of a running machine, scaled, as RGB565 in little endian, row by row from the top. Refused
 * for a shielded machine, of which nobody on the host sees anything.
 */
export async function thumbnail(context: ServiceContext, call: MethodCall): Promise<InvokeResult> {
  const [width, height] = [call.number('WidthPixels'), call.number('HeightPixels')];
  if (![width, height].every((side) => side >= 1 && side <= LONGEST_SIDE))
    return returned(HV.invalidParameter);
  const settings = keyOf(call.reference1('TargetSystem'), 'InstanceID');
  const machine = context.machines.get(machineIdOf(settings) ?? '');
  if (machine === undefined) return returned(HV.invalidParameter);
  if (isShielded(machine)) return returned(HV.accessDenied);
  if (!context.machines.isRunning(machine.id)) return returned(HV.invalidState);
  return completed({ ImageData: [...(await pictureOf(context, machine, width, height))] });
}

/** Width and height by the codes of RequestedInformation. Source: HyperV_v2, GetSummaryInformation. */
const SUMMARY_SIZES: Readonly<Record<number, readonly [number, number]>> = {
  5: [80, 60],
  6: [160, 120],
  7: [320, 240],
};

/** Msvm_SummaryInformation.ThumbnailImage; undefined where the codes ask for none. Null: there is nothing to be seen. */
export async function summaryThumbnail(
  context: ServiceContext,
  machine: Machine,
  codes: readonly number[],
): Promise<readonly number[] | null | undefined> {
  const size = codes.map((code) => SUMMARY_SIZES[code]).find((known) => known !== undefined);
  if (size === undefined) return undefined;
  if (isShielded(machine) || !context.machines.isRunning(machine.id)) return null;
  return [...(await pictureOf(context, machine, ...size))];
}

async function pictureOf(
  context: ServiceContext,
  machine: Machine,
  width: number,
  height: number,
): Promise<Uint8Array> {
  // It may stop while it is asked.
  const screen = await context.engine.screenshot(machine.id).catch(() => undefined);
  return scaled(screen, width, height);
}

/** Nearest pixels; black where there is no screen. */
export function scaled(screen: Screen | undefined, width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(width * height * 2);
  if (screen === undefined) return bytes;
  const view = new DataView(bytes.buffer);
  for (let y = 0; y < height; y += 1) {
    const row = Math.floor((y * screen.height) / height) * screen.width;
    for (let x = 0; x < width; x += 1) {
      const at = (row + Math.floor((x * screen.width) / width)) * 3;
      view.setUint16((y * width + x) * 2, rgb565(screen.rgb, at), true);
    }
  }
  return bytes;
}

function rgb565(rgb: Uint8Array, at: number): number {
  const [red = 0, green = 0, blue = 0] = rgb.subarray(at, at + 3);
  return ((red >> 3) << 11) | ((green >> 2) << 5) | (blue >> 3);
}
