import path from 'node:path';
import { createVhdx } from '@nova-hyperv/vhd';
import type { Line } from './compare.js';
import { GIB, secondsToMake, tool } from './compare.js';

/**
 * Creation of disks that hold nothing yet. qemu-img makes no differencing VHDX: a qcow2 over the same parent is what it
 * has instead. Ours runs in process, theirs as a command; its start is a small part of it.
 */
export async function createLines(folder: string): Promise<readonly Line[]> {
  const lines: Line[] = [];
  for (const [name, virtualSize] of [
    ['1 GiB', GIB],
    ['64 TiB', 64 * 1024 * GIB],
  ] as const) {
    const parent = path.join(folder, `parent-${virtualSize}.vhdx`);
    const target = path.join(folder, 'child');
    await createVhdx({ path: parent, type: 'dynamic', virtualSize });
    const locators = { relativePath: `.\\${path.basename(parent)}` };
    const child = { path: target, type: 'differencing', parent: { path: parent, locators } } as const;
    lines.push({
      group: 'Create',
      name: `differencing child of ${name}`,
      against: 'qemu-img create (qcow2)',
      ours: () => secondsToMake(target, () => createVhdx(child)),
      theirs: () =>
        secondsToMake(target, () =>
          tool('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', parent, '-F', 'vhdx', target),
        ),
    });
    lines.push({
      group: 'Create',
      name: `dynamic disk of ${name}`,
      against: 'qemu-img create',
      ours: () => secondsToMake(target, () => createVhdx({ path: target, type: 'dynamic', virtualSize })),
      theirs: () =>
        secondsToMake(target, () =>
          tool('qemu-img', 'create', '-q', '-f', 'vhdx', target, String(virtualSize)),
        ),
    });
  }
  return lines;
}
