/** Serves a disk until its parent is gone, in a process of its own as in the product, away from what measures it. */
import { openDisk, serveNbd } from '@nova-hyperv/vhd';

const [path = '', socketPath = ''] = process.argv.slice(2);
const disk = await openDisk(path);
const server = await serveNbd({ socketPath });
server.addExport('disk', disk);
process.on('disconnect', () => {
  void server
    .close()
    .then(() => disk.close())
    .then(() => process.exit(0));
});
