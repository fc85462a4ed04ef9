// One conversion in a process of its own: `node convert-once.mjs SOURCE AS TARGET FORMAT TYPE`, from the build's output.
import { convertDisk } from '@nova-hyperv/vhd';

const [source, as, target, format, type] = process.argv.slice(2);
await convertDisk({ path: source, as }, { path: target, format, type });
