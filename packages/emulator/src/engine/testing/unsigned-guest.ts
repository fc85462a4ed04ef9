import { openDisk } from '@nova-hyperv/vhd';

/** PE/COFF: where the optional header's certificate table entry is, from the PE signature on (PE32+). */
const CERTIFICATE_TABLE_AT = 24 + 112 + 4 * 8;
const STEP = 512;

/** Takes the signatures off all EFI programs of a disk: what is left is what an unsigned loader would be. Returns how many. */
export async function removeSignatures(path: string): Promise<number> {
  const disk = await openDisk(path);
  let removed = 0;
  try {
    const content = Buffer.alloc(disk.virtualSize);
    await disk.read(content, 0);
    for (let at = 0; at + 1024 < content.length; at += STEP) {
      if (content.toString('latin1', at, at + 2) !== 'MZ') continue;
      const header = at + content.readUInt32LE(at + 60);
      if (header + 512 > content.length || content.toString('latin1', header, header + 4) !== 'PE\0\0')
        continue;
      const entry = header + CERTIFICATE_TABLE_AT;
      const sector = entry - (entry % STEP);
      content.fill(0, entry, entry + 8);
      await disk.write(content.subarray(sector, sector + 2 * STEP), sector);
      removed += 1;
    }
    await disk.flush();
  } finally {
    await disk.close();
  }
  return removed;
}
