const VOLUME_HEADER_BYTES = 72;
const IMAGE_BYTES = 16 * 1024;
const STORE_BYTES = 8 * 1024;

/** A firmware image with an empty store of authenticated variables: the headers by hand. */
export function emptyStore(): Buffer {
  const image = Buffer.alloc(IMAGE_BYTES, 0xff);
  image.fill(0, 0, VOLUME_HEADER_BYTES + 28);
  image.write('_FVH', 40, 'latin1');
  image.writeUInt16LE(VOLUME_HEADER_BYTES, 48);
  Buffer.from('782cf3aa7b949a43a1802e144ec37792', 'hex').copy(image, VOLUME_HEADER_BYTES);
  image.writeUInt32LE(STORE_BYTES, VOLUME_HEADER_BYTES + 16);
  image.writeUInt8(0x5a, VOLUME_HEADER_BYTES + 20);
  image.writeUInt8(0xfe, VOLUME_HEADER_BYTES + 21);
  return image;
}
